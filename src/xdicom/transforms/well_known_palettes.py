"""The eight palettes that the standard defines, by name and by SOP Instance UID (PS3.6 Annex B)."""

from __future__ import annotations

from functools import cache

import numpy as np

from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.palette import Palette

Ramps = tuple[int, tuple[tuple[int, int], ...]]
"""A first entry, and straight lines behind it: how many entries each goes on for, and the entry it ends at."""


def _steps(*runs: tuple[int, int]) -> Ramps:
    """Runs of equal entries as ramps; each `(count, entry)`."""
    (count, first), *rest = runs
    flat: list[tuple[int, int]] = [(count - 1, first)]
    for count, entry in rest:
        flat += [(1, entry), (count - 1, entry)]
    return first, tuple(flat)


PALETTE_UIDS: dict[str, str] = {
    "HOT_IRON": "1.2.840.10008.1.5.1",
    "PET": "1.2.840.10008.1.5.2",
    "HOT_METAL_BLUE": "1.2.840.10008.1.5.3",
    "PET_20_STEP": "1.2.840.10008.1.5.4",
    "SPRING": "1.2.840.10008.1.5.5",
    "SUMMER": "1.2.840.10008.1.5.6",
    "FALL": "1.2.840.10008.1.5.7",
    "WINTER": "1.2.840.10008.1.5.8",
}
"""SOP Instance UID of each palette, by Content Label."""

_RAMPS: dict[str, tuple[Ramps, Ramps, Ramps]] = {
    "HOT_IRON": (
        (0, ((126, 252), (2, 255), (127, 255))),
        (0, ((128, 0), (125, 250), (2, 255))),
        (0, ((191, 0), (62, 248), (2, 255))),
    ),
    "PET": (
        (0, ((62, 0), (2, 1), (42, 85), (1, 86), (85, 255), (63, 255))),
        (0, ((62, 125), (1, 128), (64, 1), (1, 0), (125, 250), (2, 255))),
        (0, ((1, 1), (127, 255), (1, 252), (63, 0), (18, 72), (4, 89), (39, 246), (2, 255))),
    ),
    "HOT_METAL_BLUE": (
        (0, ((85, 0), (17, 50), (17, 90), (34, 190), (17, 255), (85, 255))),
        (0, ((119, 0), (119, 224), (17, 255))),
        (0, ((16, 31), (19, 69), (32, 131), (18, 167), (17, 200), (17, 150), (17, 50), (17, 0), (17, 0), (68, 200), (17, 255))),
    ),
    "PET_20_STEP": (
        _steps(
            *((13, 0), (13, 96), (25, 48), (13, 80), (13, 96), (13, 112), (12, 128), (26, 48), (13, 80), (12, 64)),
            *((13, 224), (38, 208), (13, 192), (13, 176), (26, 255)),
        ),
        _steps(
            *((26, 0), (25, 48), (13, 80), (13, 96), (13, 112), (12, 128), (13, 96), (13, 144), (13, 192), (25, 224)),
            *((13, 208), (13, 176), (12, 144), (13, 96), (13, 48), (13, 0), (13, 255)),
        ),
        _steps(
            *((13, 0), (26, 80), (12, 112), (13, 128), (13, 176), (13, 192), (12, 224), (26, 48), (13, 80), (12, 64)),
            *((13, 80), (13, 96), (13, 64), (51, 0), (13, 255)),
        ),
    ),
    "SPRING": ((255, ((255, 255),)), (0, ((255, 255),)), (255, ((255, 0),))),
    "SUMMER": ((0, ((255, 0),)), (255, ((255, 128),)), (0, ((127, 0), (128, 254)))),
    "FALL": ((255, ((255, 255),)), (255, ((255, 0),)), (0, ((255, 0),))),
    "WINTER": ((0, ((127, 0), (128, 127))), (0, ((255, 255),)), (255, ((255, 128),))),
}


@cache
def well_known_palette(name: str) -> Palette:
    """One of the standard's palettes: 256 entries of 8 bits, from 0 on.

    Parameters
    ----------
    name
        A Content Label, in capitals or not (HOT_IRON, PET, HOT_METAL_BLUE, PET_20_STEP, SPRING, SUMMER, FALL, WINTER),
        or its SOP Instance UID.

    Raises
    ------
    ValueError
        When there is none of that name.

    Examples
    --------
    >>> well_known_palette("hot_iron").colors()[[0, 128, 255]].tolist()
    [[0, 0, 0], [255, 0, 0], [255, 255, 255]]
    """
    labels = {uid: label for label, uid in PALETTE_UIDS.items()}
    label = labels.get(name, name.upper().replace(" ", "_").replace("-", "_"))
    if label not in _RAMPS:
        raise ValueError(f"there is no well-known palette {name!r}: there are {', '.join(PALETTE_UIDS)}, and their UIDs")
    red, green, blue = (LookupTable(0, _drawn(ramps), bits=8) for ramps in _RAMPS[label])
    return Palette(red, green, blue)


def _drawn(ramps: Ramps) -> np.ndarray:
    first, lines = ramps
    entries = [np.array([first], np.float64)]
    for count, end in lines:
        start = entries[-1][-1]
        entries.append(start + (end - start) * np.arange(1, count + 1) / count)
    return np.rint(np.concatenate(entries)).astype(np.uint8)
