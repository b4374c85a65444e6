"""Results of a run of the benchmarks as the tables of `docs/performance.md`.

python tests/benchmarks/render.py RESULTS.json [docs/performance.md]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- results: written by tests/benchmarks/render.py -->", "<!-- end of results -->"


def number(value: float) -> str:
    """Three digits.

    >>> number(1234.5), number(0.01234), number(9.996)
    ('1,234', '0.0123', '10.0')
    """
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.3g}"


def row(info: dict[str, Any]) -> str:
    """One benchmark as a row."""
    own, wanted = info["xdicom"], info["wanted"]

    def cell(name: str, time: float, ratio: float, is_met: bool) -> str:
        asked = f", asked {wanted[name]:g}{'' if is_met else ': **missed**'}" if name in wanted else ""
        return f"{name} {number(time)} (**{number(ratio)}**{asked})"

    peers = [
        cell(name, time, time / own, time / own >= wanted.get(name, 0))
        for name, time in sorted(info["peers"].items(), key=lambda entry: entry[1])
    ]
    limits = [cell(name, time, own / time, own / time <= wanted.get(name, 1e9)) for name, time in info["limits"].items() if time]
    return f"| {info['title']} | {number(own)} {info['unit']} | {'<br>'.join(peers) or '-'} | {'<br>'.join(limits) or '-'} |"


def render(results: dict[str, Any]) -> str:
    """All results of a run."""
    machine = results["machine_info"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    lines = [
        f"Measured on {results['datetime'][:10]}: {machine['cpu']['brand_raw']}, {machine['cpu']['count']} cores, {machine['system']},",
        f"Python {machine['python_version']}; {libraries}.",
        "",
        "| what | xdicom | peers (times slower than xdicom) | limits (xdicom takes this many times as long) |",
        "|---|---|---|---|",
    ]
    found = [benchmark["extra_info"] for benchmark in results["benchmarks"] if "title" in benchmark["extra_info"]]
    return "\n".join([*lines, *map(row, found)])


def main(source: str, page: str = "") -> None:
    text = render(json.loads(Path(source).read_text(encoding="utf-8")))
    if not page:
        print(text)  # noqa: T201 - the result
        return
    before, rest = Path(page).read_text(encoding="utf-8").split(BEGIN)
    Path(page).write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
