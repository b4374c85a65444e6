"""What is to be written, found out before any pixel is: sources, form of the values, and elements of all instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import xarray as xr

from xdicom.errors import UnsupportedEncodingError
from xdicom.export.dicom_changes import Changes, changes_of
from xdicom.export.dicom_elements import Elements, add_text, set_element, texts_of
from xdicom.export.dicom_forms import choose_form
from xdicom.export.dicom_labels import instance_numbers, plane_labels, window_labels
from xdicom.export.dicom_marks import add_equipment, describe_pixels, wanted_elements
from xdicom.export.dicom_minimal import minimal_header
from xdicom.export.dicom_origins import Origin, check_place, find_origin, urls_of
from xdicom.export.dicom_plan import Choices, Plan, SeriesPlan, Times
from xdicom.export.dicom_planes import frame_sizes, label_of, planes_of
from xdicom.export.dicom_secondary import SECONDARY_CAPTURE, secondary_header
from xdicom.headers.dictionary import TAGS
from xdicom.labeled.parameters import DISPLAY, MODALITY, REAL_WORLD, RGB, STORED, SUV
from xdicom.pixels.encode import ENCODERS
from xdicom.sources.options import public_options

PICTURES = (DISPLAY, RGB)
"""Stages whose values mean colors or grays, and nothing that was measured."""
WRITTEN = (STORED, MODALITY, REAL_WORLD, SUV, *PICTURES)
"""Values that are written."""
_REFUSED = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation is written by to_segmentation(), with the series that it belongs to",
    "1.2.840.10008.5.1.4.1.1.66.7": "a segmentation is written by to_segmentation(), with the series that it belongs to",
    "1.2.840.10008.5.1.4.1.1.77.1.6": "images of a slide are written as stored_values or rgb, with the dimensions y and x",
}


def make_plan(array: xr.DataArray, choices: Choices) -> SeriesPlan:
    """Plan for an arranged array.

    Raises
    ------
    InconsistentSeriesError, UnsupportedEncodingError, ValueError
        As `write_dicom` says.
    """
    name = str(array.name)
    if name not in WRITTEN:
        raise ValueError(
            f"values named {array.name!r} have no meaning that DICOM knows: say what they are with array.rename(), "
            f"as one of {', '.join(WRITTEN)}"
        )
    origin = find_origin(array)
    planes = planes_of(array)
    count = len(origin.rows)
    header = origin.header
    labels_only = header is None
    if header is None:
        header = minimal_header(array, planes, choices.attributes or {})
    sop_class = _first_text(header, "SOPClassUID") or str(array.attrs.get("sop_class_uid", ""))
    check_kind(name, sop_class)
    check_place(array, planes, origin, choices.attributes)
    is_multiframe = name not in PICTURES and not labels_only and _is_multiframe(header)
    if name in PICTURES:
        header, sop_class = secondary_header(header), SECONDARY_CAPTURE
        origin = replace(origin, header=header)
    chosen = choose_form(array, origin.frames, origin.rows, header, sop_class, choices)
    uids = new_uids(count, choices.uid_seed)
    own_series_uid, own_study_uid = uids.pop(), uids.pop()
    series_uid = choices.series_uid or own_series_uid
    study_uid = _first_text(header, "StudyInstanceUID") or str(array.attrs.get("study_instance_uid") or own_study_uid)
    keeps = choices.keep_uids
    if keeps:
        series_uid = _first_text(header, "SeriesInstanceUID")
        _check_can_keep(array, origin, is_multiframe)
    shared = describe_pixels(chosen.form)
    set_element(shared, "SOPClassUID", sop_class)
    set_element(shared, "StudyInstanceUID", study_uid)
    set_element(shared, "SeriesInstanceUID", series_uid)
    describe(shared, header, chosen.elements, choices, str(array.attrs.get("lossy_image_compression", "")), keeps=keeps)
    if TAGS["NumberOfSlices"] in header and "z" in array.dims and not is_multiframe:
        set_element(shared, "NumberOfSlices", array.sizes["z"])
    wanted, dropped = wanted_elements(choices.attributes)
    kinds = texts_of(header, "ImageType")
    repeats = origin.repeats
    has_own = origin.places is not None and not is_multiframe and name not in PICTURES and not repeats
    changes = Changes()
    if origin.frames is not None and name not in PICTURES and not repeats and (origin.rows >= 0).all():
        changes = changes_of(array, origin.frames, origin.rows)
    if keeps and changes.names:
        raise ValueError(f"the coordinate {changes.names[0]} was changed, so that identities can't be kept: leave keep_uids out")
    loses = ENCODERS.get(chosen.form.encoding.transfer_syntax_uid)
    plan = Plan(
        rows=np.arange(count),
        uids=tuple(uids[:count]),
        form=chosen.form,
        headers=origin.places if has_own else None,
        template={} if has_own and None not in (origin.places or ()) else header,
        shared=shared,
        dropped=dropped,
        positions_mm=planes.positions_mm,
        orientation=planes.orientation,
        spacing_mm=planes.spacing_mm,
        step_mm=planes.step_mm,
        instance_number=instance_numbers(array, count),
        labels=plane_labels(array, planes, has_own=has_own and not any(place is None for place in origin.places or ())),
        windows=None if name in PICTURES else window_labels(array, count),
        rescale=chosen.rescale,
        applies_rescale=chosen.applies_rescale,
        sources=sources_of(array, header, count),
        is_attempt=chosen.is_attempt,
        is_derived=not keeps,
        is_rescaled=chosen.is_rescaled,
        is_cut=_is_cut(header, array, kinds),
        repeats=repeats,
        lossy="" if loses is None else loses.lossy_method,
        changed=changes.names,
        restated=changes.keywords,
        shifts=changes.shifts,
        attributes=wanted,
        options=public_options(urls_of(origin.places)),
    )
    refs = origin.frames.refs().take(origin.rows) if keeps and origin.frames is not None else None
    single = SeriesPlan(plan, len(frame_sizes(array)), series_uid, None, refs, places=origin.places)
    if not is_multiframe:
        return single
    sizes = frame_sizes(array)
    steps = np.indices(tuple(sizes.values())).reshape(len(sizes), count)
    return replace(
        single,
        frames_of=_instances(array, count),
        source_frames=source_frames(array, plan.sources),
        steps={str(name): steps[axis] for axis, name in enumerate(sizes)},
        times=times_of(array),
    )


def check_kind(name: str, sop_class: str) -> None:
    """Refuse values of objects that are written in another way.

    Raises
    ------
    UnsupportedEncodingError
        With the way that they are written.
    """
    if name not in PICTURES and sop_class in _REFUSED:
        raise UnsupportedEncodingError(f"objects of SOP class {sop_class} are not written: {_REFUSED[sop_class]}")


def times_of(array: xr.DataArray) -> Times | None:
    """Time of each plane, where the labels tell."""
    seconds = label_of(array, "time")
    if seconds is None or seconds.dtype.kind not in "iuf" or array.coords["time"].attrs.get("units") != "s":
        return None
    return Times(seconds.astype(float), str(array.coords["time"].attrs.get("start", "")))


def new_uids(planes: int, seed: str | None) -> list[str]:
    """UIDs of the instances, and behind them those of a study and a series (PS3.5 B.2)."""
    if seed is None:
        return [f"2.25.{uuid4().int}" for _ in range(planes + 2)]
    digests = (blake2b(f"{seed}\n{number}".encode(), digest_size=16).digest() for number in range(planes + 2))
    return [f"2.25.{UUID(bytes=digest, version=4).int}" for digest in digests]


def _is_multiframe(header: Elements) -> bool:
    number = header.get(TAGS["NumberOfFrames"])
    has_groups = TAGS_OF_GROUPS & set(header)
    return bool(has_groups) or (number is not None and bool(number.numbers()))


TAGS_OF_GROUPS = {0x52009229, 0x52009230}
"""Shared and Per-frame Functional Groups Sequence."""


def describe(shared: Elements, header: Elements, elements: Mapping[str, Any], choices: Choices, lossy: str, *, keeps: bool) -> None:
    """Texts, history, moment and equipment of all instances."""
    for keyword, value in elements.items():
        set_element(shared, keyword, value)
    for keyword, text in (("SeriesDescription", choices.series_description), ("DerivationDescription", choices.derivation)):
        if text is not None:
            add_text(shared, keyword, text)
    if lossy == "01":
        set_element(shared, "LossyImageCompression", "01")
    if choices.series_number is not None:
        set_element(shared, "SeriesNumber", choices.series_number)
    if keeps:
        return
    equipment = 0x0018A001
    around: Elements = {equipment: header[equipment]} if equipment in header else {}
    add_equipment(around, version("xdicom"))
    shared.update(around)
    now = datetime.now().astimezone()
    if choices.uid_seed is None:
        set_element(shared, "InstanceCreationDate", f"{now:%Y%m%d}")
        set_element(shared, "InstanceCreationTime", f"{now:%H%M%S}")


def _first_text(header: Elements, keyword: str) -> str:
    return next(iter(texts_of(header, keyword)), "")


def sources_of(array: xr.DataArray, header: Elements, count: int) -> tuple[tuple[str, str] | None, ...]:
    """SOP Class and Instance UID of the instance of each plane."""
    uids = label_of(array, "sop_instance_uid")
    if uids is None:
        uids = np.full(count, str(array.attrs.get("sop_instance_uid", "")))
    sop_class = str(array.attrs.get("sop_class_uid", "")) or _first_text(header, "SOPClassUID")
    return tuple((sop_class, str(uid)) if uid else None for uid in uids)


def source_frames(array: xr.DataArray, sources: tuple[tuple[str, str] | None, ...]) -> tuple[tuple[str, str, int], ...]:
    """SOP Class and Instance UID and frame number of each plane's source; number 0 where that is of single frames."""
    numbers = label_of(array, "frame_number")
    if numbers is None:
        numbers = np.zeros(len(sources), np.int64)
    return tuple((*(source or ("", "")), int(number)) for source, number in zip(sources, numbers, strict=True))


def _is_cut(header: Elements, array: xr.DataArray, kinds: tuple[str, ...]) -> bool:
    """Whether planes are tiles of mosaics or grids."""
    sizes = [header[TAGS[name]].numbers() for name in ("Rows", "Columns") if TAGS[name] in header]
    return bool({"MOSAIC", "VFRAME"} & set(kinds)) and sizes != [(array.sizes["y"],), (array.sizes["x"],)]


def _instances(array: xr.DataArray, count: int) -> tuple[np.ndarray, ...]:
    """Planes of each multi-frame instance: those of one source instance stay together."""
    uids = label_of(array, "sop_instance_uid")
    if uids is None:
        return (np.arange(count),)
    return tuple(np.flatnonzero(uids == uid) for uid in dict.fromkeys(uids.tolist()))


def _check_can_keep(array: xr.DataArray, origin: Origin, is_multiframe: bool) -> None:
    if array.name != STORED or origin.frames is None or not origin.in_files or (origin.rows < 0).any() or is_multiframe:
        raise ValueError("identities are kept of stored_values of single-frame instances that this process has opened: leave keep_uids out")
