"""The header of a written multi-frame instance, and its frames from tasks into one file."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from xdicom.errors import SourceError, UnsupportedEncodingError
from xdicom.export.dicom_clocks import move_clock
from xdicom.export.dicom_elements import Elements, file_head, make_value, set_element, tag_and_vr, texts_of
from xdicom.export.dicom_frame_groups import PER_FRAME, SHARED
from xdicom.export.dicom_groups import settle_groups
from xdicom.export.dicom_header import clean, put_in, set_attributes, set_multiframe_values, settle
from xdicom.export.dicom_marks import add_loss, mark_derived
from xdicom.export.dicom_pixels import frame_bytes, pixel_element_head, pixel_element_tail
from xdicom.export.dicom_plan import Plan, SeriesPlan, WrittenDicom
from xdicom.export.dicom_writing import NOT_STORED, batches, check_attempt, reporter, rows_at, shifted, stored_plane
from xdicom.headers.dictionary import TAGS
from xdicom.index.split import PARAMETRIC_MAP
from xdicom.lazy.blocks import Place, Report, over_blocks
from xdicom.lazy.cells import Array
from xdicom.sources.folders import Folder
from xdicom.sources.options import using_options

OF_CONCATENATIONS = (
    "ConcatenationUID",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "ConcatenationFrameOffsetNumber",
    "SOPInstanceUIDOfConcatenationSource",
)
MakeHeader = Callable[[SeriesPlan, np.ndarray, float, tuple[float, float]], Elements]
"""Header of the instance that holds some planes, with the ratio of a compression and the smallest and largest value."""
_GRID_OFFSETS, _SLICES = "GridFrameOffsetVector", "SliceVector"


def write_multiframe(
    array: Array, series: SeriesPlan, folder: Folder, names: list[str], progress: bool | Report, *, make_header: MakeHeader | None = None
) -> WrittenDicom:
    """Write multi-frame instances: tasks encode frames into parts, which are then put behind their headers.

    Parts lie in the folder, which workers see; where it is none of this machine's, they come home with the results of the tasks.
    """
    assert series.frames_of is not None
    parts = Path(folder.location) / f".parts-{uuid4().hex[:8]}" if folder.is_local else Path(tempfile.mkdtemp(prefix="xdicom-"))
    count, blocks = len(series.plan.rows), int(np.prod(array.numblocks, dtype=np.int64))
    part_of, offset, length = np.full(count, -1), np.zeros(count, np.int64), np.zeros(count, np.int64)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    files: list[str] = []
    bare = replace(series.plan, template={}, shared={}, attributes={})  # tasks encode frames; headers stay here
    size, error, done = 0, 0.0, 0
    try:
        parts.mkdir(exist_ok=True)
        with reporter(progress) as report:
            for batch, rows in batches(array, series.frame_dims):
                plan, shape = bare.take(rows), array.shape[: series.frame_dims]
                function = partial(encode_block, plan=plan, shape=shape, folder=str(parts) if folder.is_local else None)
                for part, written, lengths, extremes, largest in over_blocks(function, array, batch, shifted(report, done, blocks)):
                    low[written], high[written] = extremes.T
                    part_of[written], length[written] = len(files), lengths
                    offset[written] = np.cumsum([0, *lengths[:-1]])
                    files.append(part if isinstance(part, str) else _kept(parts, part))
                    error = max(error, largest)
                check_attempt(series.plan, error)
                done += len(batch)
        for name, rows in zip(names, series.frames_of, strict=True):
            encoding = series.plan.form.encoding
            native = rows.size * int(np.prod(encoding.frame_shape)) * encoding.dtype.itemsize
            extremes = float(low[rows].min()), float(high[rows].max())
            elements = (make_header or multiframe_header)(series, rows, native / max(1, int(length[rows].sum())), extremes)
            with folder.whole_file(name) as file:
                file.write(file_head(elements, encoding.transfer_syntax_uid) + pixel_element_head(encoding, length[rows].tolist()))
                for row in rows.tolist():
                    with (parts / files[part_of[row]]).open("rb") as part:
                        part.seek(int(offset[row]))
                        file.write(part.read(int(length[row])))
                file.write(pixel_element_tail(encoding, int(length[rows].sum())))
                size += file.tell()
    except OSError as failure:
        if isinstance(failure, SourceError):
            raise
        raise SourceError(f"{folder.location} can't be written: {failure.strerror or failure}") from failure
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    return series.done(size, error)


def encode_block(
    block: np.ndarray, place: Place, *, plan: Plan, shape: tuple[int, ...], folder: str | None
) -> tuple[str | bytes, np.ndarray, list[int], np.ndarray, float]:
    """Encode the frames of one block into a part; its name in `folder` (or its bytes), the planes in it, bytes and smallest and largest
    value of each, the error."""  # noqa: D205, D209 - one sentence
    rows, name = rows_at(place, shape), uuid4().hex
    lengths, extremes, error = [], [], 0.0
    with io.BytesIO() if folder is None else Folder(folder).whole_file(name) as file:
        for plane, row in zip(block.reshape(-1, *block.shape[len(shape) :]), rows, strict=True):
            stored, largest = stored_plane(plane, plan, int(np.searchsorted(plan.rows, row)))
            if plan.is_attempt and largest == NOT_STORED:
                return name, rows[:0], [], np.empty((0, 2)), largest
            data = frame_bytes(stored, plan.form)
            file.write(data)
            lengths.append(len(data))
            extremes.append(extremes_of(stored))
            error = max(error, largest)
        part = file.getvalue() if isinstance(file, io.BytesIO) else name
    return part, rows, lengths, np.array(extremes), error


def _kept(parts: Path, data: bytes) -> str:
    """Name of a new file that holds `data`."""
    name = uuid4().hex
    (parts / name).write_bytes(data)
    return name


def extremes_of(stored: np.ndarray) -> tuple[float, float]:
    """Smallest and largest finite value; inf and -inf where there is none."""
    finite = stored[np.isfinite(stored)] if stored.dtype.kind == "f" else stored
    return (float(finite.min()), float(finite.max())) if finite.size else (np.inf, -np.inf)


def multiframe_header(series: SeriesPlan, rows: np.ndarray, loss_ratio: float, extremes: tuple[float, float]) -> Elements:
    """Header of the instance that holds the planes `rows`, with the smallest and largest of its values."""
    plan = series.plan.take(rows)
    with using_options(plan.options):
        place = None if series.places is None else series.places[rows[0]]
        elements = dict(plan.template) if place is None else place.read()
    was = tuple(int(elements[TAGS[name]].numbers()[0]) if TAGS[name] in elements else 0 for name in ("Rows", "Columns"))
    encoding = plan.form.encoding
    frames = int(elements[TAGS["NumberOfFrames"]].numbers()[0]) if TAGS["NumberOfFrames"] in elements else 1
    clean(elements, plan, is_resized=was != (encoding.rows, encoding.columns))
    for keyword in OF_CONCATENATIONS:
        set_element(elements, keyword, None)
    source_frames = tuple(series.source_frames[row] for row in rows.tolist()) if series.source_frames else ()
    times = None if series.times is None else series.times.take(rows)
    put_in(elements, plan.shared)
    set_element(elements, "NumberOfFrames", len(rows))
    if series.states_window:
        _add_window(elements, extremes)
    for keyword, seconds in plan.shifts.items():
        if not keyword.startswith("Frame") and np.ptp(seconds) == 0:
            move_clock(elements, keyword, float(seconds[0]))
    if SHARED in elements or PER_FRAME in elements:
        settle_groups(elements, plan, {name: steps[rows] for name, steps in series.steps.items()}, source_frames, times)
    else:
        _settle_vectors(elements, plan, source_frames, frames, times.seconds if times is not None else None)
        set_multiframe_values(elements, plan)
    if plan.is_derived:
        set_element(elements, "SOPInstanceUID", plan.uids[0])
        mark_derived(elements, plan.sources[0])
        _set_evidence(elements, plan)
    if plan.lossy:
        add_loss(elements, plan.lossy, loss_ratio)
    set_attributes(elements, plan)
    return elements


def _add_window(elements: Elements, extremes: tuple[float, float]) -> None:
    """A window that shows all values, for all frames (PS3.3 C.7.6.16.2.10)."""
    low, high = extremes if extremes[0] <= extremes[1] else (0.0, 1.0)
    (shared,) = elements[SHARED].items()
    window = {"WindowCenter": low / 2 + high / 2, "WindowWidth": (high - low) or 1.0, "VOILUTFunction": "LINEAR_EXACT"}
    set_element(shared, "FrameVOILUTSequence", [window])
    set_element(elements, "SharedFunctionalGroupsSequence", [shared])


def _set_evidence(elements: Elements, plan: Plan) -> None:
    """List the source instances that functional groups refer to (PS3.3 C.8.13.2.1, 10.16)."""
    found = dict.fromkeys(source for source in plan.sources if source is not None)
    study, series = elements.get(TAGS["StudyInstanceUID"]), plan.template.get(TAGS["SeriesInstanceUID"])
    if not found or study is None or series is None or PER_FRAME not in elements:
        return
    instances = [{"ReferencedSOPClassUID": sop_class, "ReferencedSOPInstanceUID": uid} for sop_class, uid in found]
    if texts_of(elements, "SOPClassUID") == (PARAMETRIC_MAP,):
        reference: dict[Any, Any] = {TAGS["SeriesInstanceUID"]: series, "ReferencedInstanceSequence": instances}
        set_element(elements, "ReferencedSeriesSequence", [reference])
        return
    of_series: dict[Any, Any] = {TAGS["SeriesInstanceUID"]: series, "ReferencedSOPSequence": instances}
    of_study: dict[Any, Any] = {TAGS["StudyInstanceUID"]: study, "ReferencedSeriesSequence": [of_series]}
    set_element(elements, "SourceImageEvidenceSequence", [of_study])


def _settle_vectors(
    elements: Elements, plan: Plan, source_frames: tuple[tuple[str, str, int], ...], frames: int, seconds: np.ndarray | None
) -> None:
    """Elements that hold a value for each frame, for the frames that are written (PS3.3 C.7.6.6)."""
    _set_first_place(elements, plan)
    pointer = elements.get(TAGS["FrameIncrementPointer"])
    numbers = [max(1, number) - 1 for *_, number in source_frames] if source_frames and all(uid for _, uid, _ in source_frames) else None
    tags: list[int] = [int(tag) for tag in pointer.numbers()] if pointer is not None else []
    grid, _ = tag_and_vr(_GRID_OFFSETS)
    for tag in tags:
        value = elements.get(tag)
        if value is None or tag == grid or len(value.numbers()) != frames or frames == 1:
            continue
        if numbers is None:
            raise UnsupportedEncodingError(
                f"({tag >> 16:04X},{tag & 0xFFFF:04X}) has a value for each frame of the source, and the array no longer says which: "
                "keep the coordinate frame_number, or write what to_display() makes"
            )
        kept: list[Any] = [value.numbers()[number] for number in numbers]
        slices, _ = tag_and_vr(_SLICES)
        if tag == slices:
            kept = (np.unique(kept, return_inverse=True)[1].reshape(-1) + 1).tolist()
            set_element(elements, "NumberOfSlices", max(kept))
        elements[tag] = make_value(value.vr, kept)
    if grid in elements and plan.positions_mm is not None and plan.orientation is not None:
        normal = np.cross(plan.orientation[:3], plan.orientation[3:6])
        settle(elements, _GRID_OFFSETS, np.round((plan.positions_mm - plan.positions_mm[0]) @ normal, 9))
    if seconds is not None and len(seconds) > 1 and np.isfinite(seconds).all():
        _set_times(elements, seconds)


def _set_times(elements: Elements, seconds: np.ndarray) -> None:
    """Frame Time where frames are evenly spaced in time, else Frame Time Vector (PS3.3 C.7.6.5)."""
    if TAGS["FrameTime"] not in elements and TAGS["FrameTimeVector"] not in elements:
        return
    steps = np.diff(seconds) * 1000
    if TAGS["FrameTime"] in elements and np.ptp(steps) <= 1e-3:
        settle(elements, "FrameTime", float(steps.mean()), 1e-3)
        return
    if TAGS["FrameTime"] in elements:
        set_element(elements, "FrameTime", None)
        set_element(elements, "FrameIncrementPointer", TAGS["FrameTimeVector"])
    settle(elements, "FrameTimeVector", [0.0, *np.round(steps, 6).tolist()], 1e-3)


def _set_first_place(elements: Elements, plan: Plan) -> None:
    """Place of the first frame: of nuclear medicine in the detector's item, else in the data set itself."""
    if plan.spacing_mm is not None and TAGS["PixelSpacing"] in elements:
        settle(elements, "PixelSpacing", list(plan.spacing_mm))
    if plan.positions_mm is None or plan.orientation is None:
        return
    place: Mapping[str, Any] = {"ImagePositionPatient": plan.positions_mm[0].tolist(), "ImageOrientationPatient": list(plan.orientation)}
    detectors, _ = tag_and_vr("DetectorInformationSequence")
    if TAGS["ImagePositionPatient"] in elements or detectors not in elements:
        for keyword, value in place.items():
            settle(elements, keyword, value)
        return
    items = elements[detectors].items()
    for item in items:
        for keyword, value in place.items():
            if tag_and_vr(keyword)[0] in item:
                settle(item, keyword, value)
    set_element(elements, "DetectorInformationSequence", items)
