"""Moments that a header states, moved by some seconds (PS3.5 6.2: DA, TM, DT)."""

from __future__ import annotations

import math
import re

import numpy as np

from xdicom.export.dicom_elements import Elements, set_element, texts_of
from xdicom.export.dicom_marks import time_text
from xdicom.headers.columns import days_since_1970, seconds_of_day, seconds_since_1970

_DATES = {"AcquisitionTime": "AcquisitionDate", "ContentTime": "ContentDate"}
_DAY_S = 86_400
_MOMENT = re.compile(r"[-+.\d]*?(?P<zone>[-+]\d{4})?$")

CLOCK_OF = {
    "AcquisitionTime": ("AcquisitionDateTime", "AcquisitionTime"),
    "AcquisitionDateTime": ("AcquisitionDateTime", "AcquisitionTime"),
    "FrameAcquisitionDateTime": ("FrameAcquisitionDateTime", "AcquisitionDateTime", "AcquisitionTime"),
    "ContentTime": ("ContentTime",),
    "FrameReferenceTime": ("FrameReferenceTime",),
    "FrameReferenceDateTime": ("FrameReferenceDateTime",),
}
"""Elements that tell the time of what the first names, in the words of the attribute `source` of an axis `time`."""


def move_clock(elements: Elements, keyword: str, seconds: float) -> None:
    """Move the moment that an element states, and its date where midnight is passed; what is not stated is not made up.

    Examples
    --------
    >>> elements: Elements = {}
    >>> set_element(elements, "AcquisitionDate", "20200229")
    >>> set_element(elements, "AcquisitionTime", "235959.5")
    >>> move_clock(elements, "AcquisitionTime", 1.25)
    >>> texts_of(elements, "AcquisitionDate"), texts_of(elements, "AcquisitionTime")
    (('20200301',), ('000000.750000',))
    """
    stated = next(iter(texts_of(elements, keyword)), "").strip()
    if not stated or not math.isfinite(seconds) or seconds == 0:
        return
    if keyword.endswith("DateTime"):
        zone = _MOMENT.fullmatch(stated)
        there = seconds_since_1970(stated)
        if math.isfinite(there):
            set_element(elements, keyword, _moment_text(there + seconds) + (zone["zone"] or "" if zone else ""))
        return
    if keyword not in _DATES:
        set_element(elements, keyword, float(stated) + seconds * 1000)
        return
    there = seconds_of_day(stated)
    if not math.isfinite(there):
        return
    set_element(elements, keyword, time_text(there + seconds))
    days = math.floor(round(there + seconds, 6) / _DAY_S)
    date = next(iter(texts_of(elements, _DATES[keyword])), "")
    if days and math.isfinite(since := days_since_1970(date)):
        set_element(elements, _DATES[keyword], str(np.datetime64(0, "D") + np.timedelta64(int(since) + days, "D")).replace("-", ""))


def _moment_text(seconds: float) -> str:
    """Seconds since 1970 as a date and a time."""
    moment = np.datetime64(round(seconds * 1e6), "us")
    return "".join(letter for letter in str(moment) if letter.isdigit() or letter == ".")
