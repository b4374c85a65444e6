"""How a benchmark is run: candidates in turn, medians of processor time, and what they ran on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

import pytest

Candidate = Callable[[], object]
LIBRARIES = (
    "xdicom",
    "numpy",
    "dask",
    "xarray",
    "zarr",
    "imagecodecs",
    "pydicom",
    "SimpleITK",
    "python-gdcm",
    "highdicom",
    "dicomsdl",
    "fastdicom",
    "nibabel",
)
ROUNDS = 5
SLOW = 1.5
"""Candidates that take longer than this run once [s]."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore"))  # other libraries' warnings are theirs


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    machine_info["node"] = ""  # what the machine is called is nobody's business
    machine_info["libraries"] = {name: metadata.version(name) for name in LIBRARIES}


class Race:
    """Candidates that are run in turn, so that what disturbs one disturbs all."""

    def __init__(self, benchmark: Any) -> None:
        self.benchmark = benchmark

    def __call__(
        self,
        title: str,
        ours: Candidate,
        *,
        peers: Mapping[str, Candidate],
        limits: Mapping[str, Candidate],
        per: int = 1,
        unit: str = "ms",
        wanted: Mapping[str, float] | None = None,
        rounds: int = ROUNDS,
    ) -> None:
        """Run all `rounds` times and record medians of processor time, divided by `per`.

        `wanted` are the ratios that are asked for, by name: at least for a peer, at most for a limit.
        """
        others = {**peers, **limits}
        times: dict[str, list[float]] = {name: [] for name in others}
        ours()

        def run_others() -> None:
            for name, candidate in others.items():
                if not times[name] or times[name][0] < SLOW:
                    start = time.process_time()
                    candidate()
                    times[name].append(time.process_time() - start)

        self.benchmark._timer = time.process_time
        self.benchmark.pedantic(ours, setup=run_others, rounds=rounds)
        own = statistics.median(self.benchmark.stats.stats.data)
        medians = {name: statistics.median(found) for name, found in times.items()}
        scale = {"s": 1, "ms": 1e3, "µs": 1e6}[unit.split(maxsplit=1)[0]] / per
        self.benchmark.extra_info.update(
            title=title,
            unit=unit,
            xdicom=own * scale,
            peers={name: medians[name] * scale for name in peers},
            limits={name: medians[name] * scale for name in limits},
            wanted=dict(wanted or {}),
        )
        ratios = [f"{medians[name] / own:.2f} x {name}" for name in peers] + [
            f"{own / max(medians[name], 1e-9):.2f} times {name}" for name in limits
        ]
        print(f"\n{title}: {own * scale:.4g} {unit}; {', '.join(ratios)}")  # noqa: T201 - shown with -s


@pytest.fixture
def race(benchmark: Any) -> Race:
    return Race(benchmark)
