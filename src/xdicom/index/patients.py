"""Whether the instances of a series are of one patient: told by numbers within the series, so that no Patient ID is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xdicom.headers.values import RawValue
from xdicom.model.columns import Column
from xdicom.model.frames import FrameTable
from xdicom.sources.chain import strip_inflate
from xdicom.sources.source import Source

PATIENT, _PATIENT_ID, _SERIES, _UID = "patient_of_series", "patient_id", "series_instance_uid", "sop_instance_uid"


def number_patients(frames: FrameTable) -> FrameTable:
    """The same frames without Patient IDs; where a series has several, with the number of each instance's patient, from 1.

    The numbers follow the SOP Instance UIDs, wherever files lie. Instances that state no Patient ID have no number. Numbers of
    series of which no Patient ID is there stay as they are.
    """
    table = frames.instances
    if _PATIENT_ID not in table.columns:
        return frames
    columns = {name: table.columns[name] for name in table.columns if name not in (_PATIENT_ID, PATIENT)}
    if PATIENT not in table.columns and len(table.columns[_PATIENT_ID].values) < 2:
        return replace(frames, instances=replace(table, columns=columns))
    patient, series = _patients(frames), _series(frames)
    number = _numbers(frames)
    known = np.flatnonzero(patient >= 0)
    count = int(patient.max(initial=0)) + 1
    of_series = np.bincount(np.unique(series[known] * count + patient[known]) // count, minlength=int(series.max(initial=0)) + 1)
    number[of_series[series] == 1] = 0
    uids = _texts(frames, _UID) if (of_series > 1).any() else np.empty(0, object)
    for each in np.flatnonzero(of_series > 1).tolist():
        rows = np.flatnonzero(series == each)
        number[rows] = _in_order(patient[rows], uids[rows])
    if number.any():
        values = np.arange(1, int(number.max()) + 1, dtype=np.int64).reshape(-1, 1)
        columns[PATIENT] = Column("number", values, (number - 1).astype(np.int32))
    return replace(frames, instances=replace(table, columns=columns))


def several_patients(frames: FrameTable) -> list[str]:
    """A note where the instances of a series are of several patients or studies, which no series may be (PS3.3 A.1.2)."""
    numbers = _numbers(frames)
    count = len(np.unique(numbers[numbers > 0]))
    if count > 1:
        what, why = f"{count} patients", "; UIDs may have been replaced without care"
    else:
        count = len(set(_texts(frames, "study_instance_uid").tolist()))
        what, why = f"{count} studies", ""
    return [f"instances of {what} have this Series Instance UID: they are in arrays of their own{why}"] if count > 1 else []


def representatives(known: FrameTable, fresh: FrameTable) -> list[Source]:
    """Sources of instances of `known` that stand for the patients of each series that `fresh` has instances of too."""
    shared = set(_texts(fresh, _SERIES).tolist()) & set(_texts(known, _SERIES).tolist())
    found: dict[tuple[str, int], str] = {}
    for url, uid, number in zip(known.instances.urls, _texts(known, _SERIES).tolist(), _numbers(known).tolist(), strict=True):
        if uid in shared:
            found.setdefault((uid, number), strip_inflate(url))
    return [Source(url, -1, "") for url in found.values()]


def with_patients_of(known: FrameTable, read_again: FrameTable) -> FrameTable:
    """`known` with the Patient IDs of all instances whose representative was read again."""
    ids = read_again.instances.columns.get(_PATIENT_ID)
    if ids is None:
        return known
    table = known.instances
    place = {strip_inflate(url): i for i, url in enumerate(table.urls)}
    keys = list(zip(_texts(known, _SERIES).tolist(), _numbers(known).tolist(), strict=True))
    urls = map(strip_inflate, read_again.instances.urls)
    code = {keys[place[url]]: int(ids.codes[i]) for i, url in enumerate(urls) if url in place}
    column = Column(ids.kind, ids.values, np.array([code.get(key, -1) for key in keys], np.int32))
    return replace(known, instances=replace(table, columns={**table.columns, _PATIENT_ID: column}))


def _patients(frames: FrameTable) -> np.ndarray:
    """A number for the Patient ID of each instance, -1 where it states none."""
    column = frames.instances.columns[_PATIENT_ID]
    texts = [value.text() if isinstance(value, RawValue) else str(value) for value in column.values]
    known = {text: i for i, text in enumerate(dict.fromkeys(texts)) if text}
    numbers = np.array([*(known.get(text, -1) for text in texts), -1], np.int64)
    return np.asarray(numbers[column.codes])


def _series(frames: FrameTable) -> np.ndarray:
    column = frames.instances.columns.get(_SERIES)
    return np.zeros(len(frames.instances), np.int64) if column is None else column.codes.astype(np.int64) + 1


def _texts(frames: FrameTable, name: str) -> np.ndarray:
    column = frames.instances.columns.get(name)
    return np.full(len(frames.instances), "", object) if column is None or column.kind != "text" else column.texts()


def _numbers(frames: FrameTable) -> np.ndarray:
    """Number of each instance's patient as it was found before, 0 where there is none."""
    column = frames.instances.columns.get(PATIENT)
    return np.zeros(len(frames.instances), np.int64) if column is None else np.nan_to_num(column.first_numbers()).astype(np.int64)


def _in_order(patient: np.ndarray, uids: np.ndarray) -> np.ndarray:
    """Numbers of patients by the first of their SOP Instance UIDs, 0 for those that are not known."""
    first: dict[int, str] = {}
    for who, uid in zip(patient.tolist(), uids.tolist(), strict=True):
        first[who] = min(first.get(who, uid), uid)
    first.pop(-1, None)
    number = {who: i for i, who in enumerate(sorted(first, key=first.__getitem__), start=1)}
    return np.array([number.get(who, 0) for who in patient.tolist()], np.int64)
