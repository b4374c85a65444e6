"""The report of a catalog: what was found, how it was split and why, gaps, copies and losses, as frozen values that print."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from xdicom.index.arrange import arrange
from xdicom.index.comparison import compare_copies
from xdicom.index.findings import count_lossy, describe_array, shape_of
from xdicom.index.sizes import readable_size
from xdicom.index.twins import describe_twins
from xdicom.model.frames import FrameTable
from xdicom.model.grid import FrameGrid

__all__ = ["Report", "SeriesReport", "StackReport", "describe_array", "report_series", "report_stack", "shape_of", "twins_of_series"]

MOST_LINES = 20
"""Notes of one kind that are printed."""


@dataclass(frozen=True, slots=True)
class StackReport:
    """One array that a series makes."""

    name: str
    """Its name in the series."""
    dims: dict[str, int]
    """Length of each dimension, in order."""
    dtype: str
    """Type of the stored values."""
    decoded_bytes: int
    """Bytes of the array in memory."""
    frames: int
    """Frames that it is made of; fewer than cells where frames are mosaics, or missing."""
    transfer_syntaxes: dict[str, int]
    """Number of frames in each transfer syntax, by UID."""
    lossy_frames: int
    """Frames that were compressed with loss at some time."""
    split_by: tuple[str, ...]
    """What sets it apart from other arrays of its series."""
    plane: str
    """Plane of the slices, such as `axial`; empty where they have no place in the patient."""
    spacing_mm: dict[str, float]
    """Step along `z`, `y` and `x` [mm], as far as it is known and even."""
    gaps_mm: tuple[float, float] | None
    """Smallest and largest distance of neighbouring slices [mm]; None for fewer than two slices."""
    is_regular: bool | None
    """Whether slices are evenly spaced; None where there are fewer than two."""
    missing_positions_mm: tuple[float, ...]
    """Positions at which slices are missing, where gaps are whole multiples of the step [mm]."""
    shear_degrees: float
    """Angle of the stack to its slice normal (gantry tilt); 0 where there is none."""
    empty_cells: int
    """Cells of the grid that no frame fills."""
    incomplete: str
    """Why frames lie in a row and form no grid; empty where they form one."""
    missing_cells: tuple[tuple[int, ...], ...]
    """Steps (extra axis, place) that no frame fills, where frames form no grid."""
    findings: tuple[str, ...]
    """All that is odd or worth knowing, a sentence each."""


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """One series, and the arrays that it makes."""

    series_uid: str
    """Series Instance UID."""
    modality: str
    """Modality, as in the header."""
    number: int | None
    """Series Number."""
    description: str
    """Series Description, empty where there is none."""
    instances: int
    """Number of instances."""
    frames: int
    """Number of frames."""
    decoded_bytes: int
    """Bytes of all its arrays in memory."""
    stacks: tuple[StackReport, ...]
    """The arrays."""
    notes: tuple[str, ...]
    """Copies, frames left whole, and twins."""


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What was found at a location, how each series was split and why; it prints as text, and as HTML in a notebook."""

    series: tuple[SeriesReport, ...]
    """The series, in the order of the catalog."""
    twins: tuple[str, ...]
    """Arrays of different series that may be two forms of one scan."""
    problems: tuple[tuple[str, str], ...]
    """Sources that were not read, and why."""
    notes: tuple[tuple[str, str], ...]
    """Sources that were odd, and how they were read."""
    source_count: int
    """Number of sources looked at."""

    def to_dict(self) -> dict[str, object]:
        """The report for machines: plain lists, mappings, texts and numbers, as JSON has them."""
        return {
            "sources": self.source_count,
            "series": [_plain(asdict(series)) for series in self.series],
            "twins": list(self.twins),
            "problems": [{"url": url, "reason": reason} for url, reason in self.problems],
            "notes": [{"url": url, "reason": reason} for url, reason in self.notes],
        }

    def _headline(self) -> str:
        arrays = sum(len(series.stacks) for series in self.series)
        frames = sum(series.frames for series in self.series)
        size = readable_size(sum(series.decoded_bytes for series in self.series))
        return f"{len(self.series)} series, {arrays} arrays, {frames} frames from {self.source_count} sources, {size} decoded"

    def __repr__(self) -> str:
        lines = [f"<xdicom.Report: {self._headline()}>"]
        for series in self.series:
            lines.append(_series_title(series))
            for stack in series.stacks:
                lines.append(f"  {stack.name}: {_shape_text(stack)}")
                lines.extend(f"    {finding}" for finding in stack.findings)
            lines.extend(f"  note: {note}" for note in _first(series.notes))
        lines.extend(f"twins: {twins}" for twins in self.twins)
        for title, found in (("not read", self.problems), ("noted", self.notes)):
            lines.extend(f"{title}: {line}" for line in _first([f"{url}: {reason}" for url, reason in found]))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<p><b>xdicom.Report</b>: {html.escape(self._headline())}</p>"]
        for series in self.series:
            rows = [_html_row(stack) for stack in series.stacks]
            head = "<tr><th>array</th><th>shape</th><th>findings</th></tr>"
            table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
            parts.append(
                f"<details open><summary>{html.escape(_series_title(series))}</summary>{table}{_html_list(series.notes)}</details>"
            )
        for title, lines in (
            ("twins", self.twins),
            ("not read", [f"{url}: {reason}" for url, reason in self.problems]),
            ("noted", [f"{url}: {reason}" for url, reason in self.notes]),
        ):
            if lines:
                parts.append(f"<details><summary>{len(lines)} {title}</summary>{_html_list(lines)}</details>")
        return "".join(parts)


def report_series(
    frames: FrameTable, series_uid: str, modality: str, number: int | None, description: str, *, compare_pixels: bool = False
) -> tuple[SeriesReport, list[FrameGrid]]:
    """The report of one series, and its arrays."""
    arrangement = arrange(frames)
    compared = compare_copies(frames) if compare_pixels else {}
    stacks = tuple(report_stack(grid) for grid in arrangement.grids)
    report = SeriesReport(
        series_uid, modality, number, description, len(frames.instances), len(frames),
        sum(stack.decoded_bytes for stack in stacks), stacks, tuple(compared.get(note, note) for note in arrangement.notes),
    )  # fmt: skip
    return report, arrangement.grids


def twins_of_series(grids: Sequence[tuple[str, list[FrameGrid]]]) -> tuple[str, ...]:
    """Arrays of different series that lie at the same places of one frame of reference, as sentences."""
    named = [(uid, f"{uid}, {grid.name}" if len(found) > 1 else uid, grid) for uid, found in grids for grid in found]
    pairs = describe_twins([(name, grid) for _, name, grid in named], of_one_series=False)
    return tuple(text for first, second, text in pairs if named[first][0] != named[second][0])


def report_stack(grid: FrameGrid) -> StackReport:
    """The report of one array."""
    dtype, attrs = grid.encoding.dtype, grid.attrs
    missing, cells, reasons = attrs.get("missing_positions"), attrs.get("missing_cells"), attrs.get("split_by")
    shear = attrs.get("shear_degrees", 0.0)
    rows = grid.rows[grid.rows >= 0]
    used = np.unique(rows) if grid.tiles is not None else rows
    instances = grid.frames.instances
    syntaxes: dict[str, int] = {}
    for code, count in zip(
        *(part.tolist() for part in np.unique(instances.encoding[grid.frames.instance[used]], return_counts=True)), strict=True
    ):
        uid = instances.encodings[code].transfer_syntax_uid
        syntaxes[uid] = syntaxes.get(uid, 0) + count
    places = next((axis.values for axis in grid.axes if axis.name == "z"), None)
    gaps = np.diff(places) if places is not None and len(places) > 1 else None
    return StackReport(
        name=grid.name,
        dims=dict(zip(grid.dims, grid.shape, strict=True)),
        dtype=str(dtype),
        decoded_bytes=math.prod(grid.shape) * dtype.itemsize,
        frames=len(used),
        transfer_syntaxes=syntaxes,
        lossy_frames=count_lossy(grid, used),
        split_by=tuple(map(str, reasons)) if isinstance(reasons, list) else (),
        plane=str(attrs.get("plane", "")) if grid.plane is not None else "",
        spacing_mm=_spacing(grid),
        gaps_mm=(float(gaps.min()), float(gaps.max())) if gaps is not None else None,
        is_regular=bool(attrs["is_regular"]) if "is_regular" in attrs else None,
        missing_positions_mm=tuple(missing) if isinstance(missing, list) else (),
        shear_degrees=float(shear) if isinstance(shear, float) else 0.0,
        empty_cells=int((grid.rows < 0).sum()),
        incomplete=str(attrs.get("incomplete", "")),
        missing_cells=tuple(tuple(cell) for cell in cells) if isinstance(cells, list) else (),
        findings=tuple(describe_array(grid)),
    )


def _spacing(grid: FrameGrid) -> dict[str, float]:
    if grid.plane is None:
        return {}
    step = grid.attrs.get("spacing_between_slices")
    is_even = isinstance(step, float) and (grid.attrs.get("is_regular") is True or "missing_positions" in grid.attrs)
    along = {"z": step} if isinstance(step, float) and is_even else {}
    return {**along, "y": grid.plane.row_spacing_mm, "x": grid.plane.column_spacing_mm}


def _first(lines: Sequence[str]) -> list[str]:
    return [*lines[:MOST_LINES], *([f"... and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else [])]


def _series_title(series: SeriesReport) -> str:
    words = [series.modality, "" if series.number is None else str(series.number), series.description]
    return f"{' '.join(word for word in words if word)} ({series.series_uid}): {series.instances} instances, {series.frames} frames"


def _shape_text(stack: StackReport) -> str:
    return f"{', '.join(f'{dim} {length}' for dim, length in stack.dims.items())}; {stack.dtype}, {readable_size(stack.decoded_bytes)}"


def _html_row(stack: StackReport) -> str:
    cells = (html.escape(stack.name), html.escape(_shape_text(stack)), "<br>".join(map(html.escape, stack.findings)))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _html_list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in _first(lines))}</ul>" if lines else ""


def _plain(value: object) -> object:
    """The value with lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value
