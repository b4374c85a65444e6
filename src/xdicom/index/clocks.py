"""Times and diffusion weights of records, from whichever element states them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from xdicom.index.b_matrix import fill_from_b_matrix
from xdicom.index.records import Records
from xdicom.model.columns import distinct_rows
from xdicom.model.grid import Diffusion

SECONDS_PER_DAY = 86400.0
_CANON_B = re.compile(r"b=(\d+(?:\.\d+)?)\s*\(([-\d.eE]+),\s*([-\d.eE]+),\s*([-\d.eE]+)\)")


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """A time of each record."""

    seconds: np.ndarray
    """Seconds, NaN where unknown; shape `(records,)`."""
    source: str
    """DICOM keyword of the element that states it, or the vendor's element."""
    is_absolute: bool = False
    """Whether the seconds count from 1970 (else from midnight or from a start of the scanner's)."""
    is_of_day: bool = False
    """Whether they tell the time of day, with or without the date."""


def acquisition_clock(records: Records) -> Clock:
    """When each record was acquired: by its frame, its date and time, or its time alone (PS3.3 C.7.6.16.2.2)."""
    for name, source in (("frame_acquisition_date_time", "FrameAcquisitionDateTime"), ("acquisition_date_time", "AcquisitionDateTime")):
        seconds = records.numbers(name)
        if np.isfinite(seconds).any():
            return Clock(seconds, source, is_absolute=True, is_of_day=True)
    return _date_and_time(records, "acquisition_date", "acquisition_time", "AcquisitionTime")


def content_clock(records: Records) -> Clock:
    """When the pixel data of each record was made: often the time of reconstruction."""
    return _date_and_time(records, "content_date", "content_time", "ContentTime")


def _date_and_time(records: Records, date: str, time: str, source: str) -> Clock:
    days, seconds = records.numbers(date), records.numbers(time)
    if np.isfinite(seconds).any() and np.isfinite(days[np.isfinite(seconds)]).all():
        return Clock(days * SECONDS_PER_DAY + seconds, source, is_absolute=True, is_of_day=True)
    return Clock(seconds, source, is_of_day=True)


def diffusion_of(records: Records) -> Diffusion | None:
    """Diffusion weights, public elements before vendors'; None where no record has any (PS3.3 C.8.13.5.9)."""
    count = len(records)
    b_value, direction = np.full(count, np.nan), np.full((count, 3), np.nan)
    sources: list[str] = []
    is_patient_frame = True
    for b_name, vectors, source in (
        ("diffusion_b_value", ("diffusion_gradient_orientation",), "DiffusionBValue"),
        ("siemens_diffusion_b_value", ("siemens_diffusion_gradient_direction",), "(0019,xx0C) SIEMENS MR HEADER"),
        (
            "philips_diffusion_b_value",
            ("philips_diffusion_rl", "philips_diffusion_ap", "philips_diffusion_fh"),
            "(2001,xx03) Philips Imaging DD 001",
        ),
        ("uih_diffusion_b_value", ("uih_diffusion_gradient_direction",), "(0065,xx0A) Image Private Header"),
        ("ge_diffusion_parameters", ("ge_diffusion_x", "ge_diffusion_y", "ge_diffusion_z"), "(0043,xx39) GEMS_PARM_01"),
    ):
        if not any(map(records.has, (b_name, *vectors))):
            continue
        stated = records.numbers(b_name)
        if b_name.startswith("ge_"):
            stated = np.where(np.isfinite(stated), stated % 1e9, np.nan)  # newer software adds a flag of 1e9
        fills = np.isnan(b_value) & np.isfinite(stated)
        if fills.any():
            sources.append(source)
            b_value = np.where(fills, stated, b_value)
        vector = records.vectors(vectors[0], 3) if len(vectors) == 1 else np.stack([records.numbers(name) for name in vectors], axis=1)
        lacks = np.isnan(direction).any(axis=1) & np.isfinite(vector).all(axis=1) & (np.abs(np.nan_to_num(vector)).max(axis=1) > 1e-6)
        if lacks.any():
            is_patient_frame &= not b_name.startswith("ge_")
            direction[lacks] = vector[lacks]
    if np.isnan(direction).any():
        _fill_from_comments(records, b_value, direction, sources)
    by_matrix, is_derived = fill_from_b_matrix(records, b_value, direction)
    sources.extend(by_matrix)
    if not np.isfinite(b_value).any():
        return None
    norm = np.linalg.norm(direction, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        direction = direction / norm
    return Diffusion(b_value, direction, _marks(records), ", ".join(sources), is_patient_frame, bool(is_derived.any()))


def _fill_from_comments(records: Records, b_value: np.ndarray, direction: np.ndarray, sources: list[str]) -> None:
    """Canon writes `b=1500(0.895,0.000,0.445)` into Image Comments."""
    comments = records.column("image_comments")
    if comments is None or comments.kind != "text":
        return
    matches = [_CANON_B.search(str(text)) for text in comments.values]
    stated = np.array([[float(part) for part in match.groups()] if match else [np.nan] * 4 for match in matches] + [[np.nan] * 4])[
        comments.codes
    ]
    fills = np.isnan(direction).any(axis=1) & np.isfinite(stated[:, 0])
    direction[fills] = stated[fills, 1:]
    lacks = fills & np.isnan(b_value)
    if lacks.any():
        b_value[lacks] = stated[lacks, 0]
        sources.append("ImageComments")


def _marks(records: Records) -> np.ndarray:
    """Marks that tell volumes of equal weight apart, as text."""
    numbers = np.column_stack(
        [records.numbers(name) for name in ("philips_diffusion_b_value_number", "philips_gradient_orientation_number")]
    )
    directionality = records.column("diffusion_directionality")
    if not np.isfinite(numbers).all():
        return records.texts("diffusion_directionality")
    codes = directionality.codes if directionality is not None else np.full(len(records), -1)
    rows, place = distinct_rows(np.column_stack([codes, numbers]).astype(np.float64))
    names = [*directionality.values, ""] if directionality is not None else [""]
    return np.asarray(np.array([f"{names[int(code)]} {b:g} {g:g}" for code, b, g in rows.tolist()], object)[place])
