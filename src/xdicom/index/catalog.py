"""What a scan found: the frames of all instances, what could not be read, and a table to look at."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xdicom.errors import MultipleSeriesError, NotDicomError
from xdicom.index.report import Report, report_series, twins_of_series
from xdicom.index.sizes import readable_size
from xdicom.model.frames import FrameTable

__all__ = ["Catalog", "Problem", "SeriesSummary", "readable_size"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A source that was not read, or was odd."""

    url: str
    """Where it lies."""
    reason: str
    """What was found there."""
    kind: str = ""
    """Name of the error that it would be, empty for a note."""
    stamp: str = ""
    """Change marker of the source when it was scanned."""


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """One series in one line."""

    series_uid: str
    """Series Instance UID."""
    modality: str
    """Modality, as in the header."""
    description: str
    """Series Description, empty where there is none."""
    number: int | None
    """Series Number, None where there is none."""
    study_uid: str
    """Study Instance UID."""
    instances: int
    """Number of instances (files)."""
    frames: int
    """Number of frames."""
    frame_shapes: tuple[tuple[int, ...], ...]
    """Shapes of the frames, most frequent first."""
    transfer_syntaxes: tuple[str, ...]
    """UIDs of the transfer syntaxes."""
    decoded_bytes: int
    """Bytes of all frames as arrays."""


_COLUMNS = ("modality", "no.", "description", "instances", "frames", "frame shape", "decoded", "series_uid")


@dataclass(frozen=True)
class Catalog:
    """Headers of many instances, ready to be opened; made by `xdicom.scan`.

    It prints as a table of the series found. It holds no name, number or birth date of a person.
    """

    frames: FrameTable
    """All frames found, in the order of their sources."""
    problems: tuple[Problem, ...] = ()
    """Sources that hold no frames or could not be read, with the reason."""
    notes: tuple[Problem, ...] = ()
    """What was odd in sources that were read, and how it was read all the same."""
    source_count: int = 0
    """Number of sources looked at."""
    read_by_pydicom: int = 0
    """Number of headers that went to pydicom because they were odd."""

    def __len__(self) -> int:
        return len(self.series)

    @cached_property
    def _series_of_frames(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Distinct series UIDs in order of occurrence, and the number of each frame's series."""
        column = self.frames.column("series_instance_uid")
        if column is None:
            return ("",) if len(self.frames) else (), np.zeros(len(self.frames), np.int64)
        codes = column.codes.astype(np.int64)
        used, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.argsort(order)
        uids = tuple(str(column.values[used[i]]) if used[i] >= 0 else "" for i in order)
        return uids, rank[inverse.reshape(-1)]

    @cached_property
    def series(self) -> tuple[SeriesSummary, ...]:
        """The series found, one line each."""
        return tuple(self._summary(uid) for uid in self._series_of_frames[0])

    def pick(self, series_uid: str | None = None) -> FrameTable:
        """Frames of the series `series_uid`, or of the only one there is.

        Raises
        ------
        NotDicomError
            If there is no frame at all, or none of that series.
        MultipleSeriesError
            If no series is named and there are several.
        """
        uids, number = self._series_of_frames
        if not uids:
            raise NotDicomError(f"no frames found: {self.describe_problems()}")
        if series_uid is None and len(uids) > 1:
            raise MultipleSeriesError(
                f"{len(uids)} series found; choose one with series_uid=, or open all with open_study():\n{self.table()}"
            )
        if series_uid is not None and series_uid not in uids:
            raise NotDicomError(f"no series {series_uid} found; there are:\n{self.table()}")
        chosen = uids.index(series_uid) if series_uid is not None else 0
        return self.frames.take(np.flatnonzero(number == chosen))

    def report(self, *, compare_pixels: bool = False) -> Report:
        """How each series is split into arrays and why, gaps, uneven spacing, copies, losses and sizes; no pixel is read.

        Parameters
        ----------
        compare_pixels
            Read the frames of instances that have one SOP Instance UID, and no others, to say whether their pixels are the same.
            Files with equal headers and lengths count as copies, of which arrays hold the first, whatever this look at them shows.
        """
        found = [
            report_series(
                self.pick(series.series_uid), series.series_uid, series.modality, series.number, series.description,
                compare_pixels=compare_pixels,
            )
            for series in self.series
        ]  # fmt: skip
        return Report(
            series=tuple(report for report, _ in found),
            twins=twins_of_series([(report.series_uid, grids) for report, grids in found]),
            problems=tuple((problem.url, problem.reason) for problem in self.problems),
            notes=tuple((note.url, note.reason) for note in self.notes),
            source_count=self.source_count,
        )

    def describe_problems(self) -> str:
        """What was looked at and why it holds no frames, in one sentence."""
        if not self.source_count:
            return "the location holds no files"
        listed = "; ".join(f"{problem.url}: {problem.reason}" for problem in self.problems[:3])
        more = f"; and {len(self.problems) - 3} more" if len(self.problems) > 3 else ""
        return f"{self.source_count} sources looked at ({listed}{more})"

    def table(self) -> str:
        """The series as text, one line each."""
        rows = [_COLUMNS, *(_cells(series) for series in self.series)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)

    def to_dict(self) -> dict[str, object]:
        """The table for machines: plain lists, texts and numbers."""
        return {
            "sources": self.source_count,
            "series": [
                {
                    "series_uid": s.series_uid, "study_uid": s.study_uid, "modality": s.modality, "description": s.description,
                    "number": s.number, "instances": s.instances, "frames": s.frames,
                    "frame_shapes": [list(shape) for shape in s.frame_shapes],
                    "transfer_syntaxes": list(s.transfer_syntaxes), "decoded_bytes": s.decoded_bytes,
                }
                for s in self.series
            ],
            "problems": [{"url": problem.url, "reason": problem.reason} for problem in self.problems],
            "notes": [{"url": note.url, "reason": note.reason} for note in self.notes],
        }  # fmt: skip

    def __repr__(self) -> str:
        lines = [f"<xdicom.Catalog: {self._headline()}>"]
        if self.series:
            lines.append(self.table())
        lines.extend(_list("not read", self.problems))
        lines.extend(_list("noted", self.notes))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in _COLUMNS)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(series)) + "</tr>" for series in self.series)
        parts = [
            f"<p><b>xdicom.Catalog</b>: {html.escape(self._headline())}</p>",
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        ]
        for title, problems in (("not read", self.problems), ("noted", self.notes)):
            if problems:
                rows = "".join(f"<li><code>{html.escape(p.url)}</code>: {html.escape(p.reason)}</li>" for p in problems[:100])
                parts.append(f"<details><summary>{len(problems)} {title}</summary><ul>{rows}</ul></details>")
        return "".join(parts)

    def _headline(self) -> str:
        count = len(self._series_of_frames[0])
        text = f"{count} series, {len(self.frames.instances)} instances, {len(self.frames)} frames from {self.source_count} sources"
        return text + (f", {len(self.problems)} not read" if self.problems else "")

    def _summary(self, uid: str) -> SeriesSummary:
        frames = self.pick(uid)
        table = frames.instances
        shapes: dict[tuple[int, ...], int] = {}
        codes, counts = np.unique(table.encoding[frames.instance], return_counts=True)
        size = 0
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            encoding = table.encodings[code]
            shapes[encoding.frame_shape] = shapes.get(encoding.frame_shape, 0) + count
            size += count * int(np.prod(encoding.frame_shape)) * encoding.dtype.itemsize

        def first(name: str) -> str:
            column = frames.instances.columns.get(name)
            value = column.first() if column is not None else None
            return value if isinstance(value, str) else ""

        number = frames.instances.columns.get("series_number")
        value = number.first() if number is not None else None
        return SeriesSummary(
            series_uid=uid,
            modality=first("modality"),
            description=first("series_description"),
            number=int(value[0]) if isinstance(value, tuple) and value else None,
            study_uid=first("study_instance_uid"),
            instances=len(table),
            frames=len(frames),
            frame_shapes=tuple(sorted(shapes, key=lambda shape: -shapes[shape])),
            transfer_syntaxes=tuple(dict.fromkeys(table.encodings[code].transfer_syntax_uid for code in codes.tolist())),
            decoded_bytes=size,
        )


def _cells(series: SeriesSummary) -> tuple[str, ...]:
    shapes = " x ".join(map(str, series.frame_shapes[0])) + (f" (+{len(series.frame_shapes) - 1})" if len(series.frame_shapes) > 1 else "")
    number = "" if series.number is None else str(series.number)
    return (
        series.modality, number, series.description, str(series.instances), str(series.frames), shapes,
        readable_size(series.decoded_bytes), series.series_uid,
    )  # fmt: skip


def _list(title: str, problems: tuple[Problem, ...]) -> list[str]:
    if not problems:
        return []
    shown = [f"  {problem.url}: {problem.reason}" for problem in problems[:5]]
    more = [f"  ... and {len(problems) - 5} more"] if len(problems) > 5 else []
    return [f"{title}:", *shown, *more]
