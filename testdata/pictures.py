"""The pictures in the example data: whole numbers, the four operations and square roots, so that every machine makes the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Point = tuple[float, float, float]

CT_ORIGIN_MM, CT_SPACING_MM, CT_SHAPE = (-191.0, -150.0), (1.875, 2.0), (160, 192)
CT_RODS = [(-80.0, -100), (-40.0, 0), (0.0, 100), (40.0, 300), (80.0, 1000)]
"""Position along x [mm] and HU of the rods in the calibration slab under the body; they lie at y = `CT_ROD_Y_MM`."""
CT_ROD_Y_MM, CT_ROD_RADIUS_MM = 117.0, 7.0
CT_PADDING = -2000

MR_ORIGIN_MM, MR_SPACING_MM, MR_SHAPE = (-94.5, -109.5), (3.0, 3.0), (74, 64)
MR_SIGNALS = {"fat": (900, 700, 460), "brain": (700, 480, 260), "fluid": (980, 900, 800), "lesion": (760, 640, 500)}
"""Stored value of each tissue at each echo time."""

PET_ORIGIN_MM, PET_SPACING_MM, PET_SHAPE = (-156.0, -116.0), (4.0, 4.0), (59, 79)
PET_BACKGROUND, PET_HOT = 5250.0, 42000.0
"""Activity of the body and of the spheres [Bq/ml]."""
PET_CENTER_MM = (0.0, -12.0, 11.445)
PET_RADII_MM = [18.5, 14.0, 11.0, 8.5, 6.5, 5.0]
"""Radii of six spheres on a circle, counter-clockwise from the patient's left as one looks from the feet."""

CINE_SHAPE = (96, 128)


def noise(seed: int, shape: tuple[int, ...]) -> Array:
    """Numbers of mean 0 and deviation 1, near to normal, the same everywhere: sums of the four parts of a mixed counter."""
    state = (np.arange(np.prod(shape), dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    parts = (state ^ (state >> np.uint64(31))).view(np.uint16).reshape(*shape, 4)
    numbers: Array = (parts.sum(axis=-1, dtype=np.int64) - 131070) / 37837.0
    return numbers


def fine_grid(origin_mm: Sequence[float], spacing_mm: Sequence[float], shape: tuple[int, int]) -> tuple[Array, Array]:
    """X and y of four points in each pixel [mm], shapes `(1, 2 * columns)` and `(2 * rows, 1)`."""
    x = origin_mm[0] + (np.arange(2 * shape[1]) / 2 - 0.25) * spacing_mm[1]
    y = origin_mm[1] + (np.arange(2 * shape[0]) / 2 - 0.25) * spacing_mm[0]
    return x[None, :], y[:, None]


def mean_of_four(fine: Array) -> Array:
    """Pixels from the four points in each."""
    return (fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2]) / 4


def from_segment(place: Sequence[Any], start: Sequence[float], end: Sequence[float]) -> Array:
    """Squared distance of each place from the segment between two points [mm²]."""
    along = along_segment(place, start, end)
    total: Array = sum(((p - s - along * (e - s)) ** 2 for p, s, e in zip(place, start, end, strict=True)), np.zeros(1))
    return total


def along_segment(place: Sequence[Any], start: Sequence[float], end: Sequence[float]) -> Array:
    """How far along the segment its nearest point lies for each place, 0 to 1."""
    dots: Array = sum(((p - s) * (e - s) for p, s, e in zip(place, start, end, strict=True)), np.zeros(1))
    return np.clip(dots / sum((e - s) ** 2 for s, e in zip(start, end, strict=True)), 0, 1)


def ellipse(x: Array, y: Array, center: tuple[float, float], radii: tuple[float, float]) -> Array:
    """Less than 1 within, 1 on the ellipse."""
    return ((x - center[0]) / radii[0]) ** 2 + ((y - center[1]) / radii[1]) ** 2


def ct_slice(z: float) -> Array:
    """Stored values of the thorax at `z` [mm], int16 `CT_SHAPE`: HU + 1024, and the padding value outside the scanned circle."""
    x, y = fine_grid(CT_ORIGIN_MM, CT_SPACING_MM, CT_SHAPE)
    hu = np.full((y.size, x.size), -1000.0)
    for mask, value in ct_tissues(x, y, z):
        hu = np.where(mask, value, hu)
    grain = noise(int(z) + 1000, (CT_SHAPE[0] + 2, CT_SHAPE[1] + 2))
    grain = (grain[1:-1, 1:-1] * 4 + grain[:-2, 1:-1] + grain[2:, 1:-1] + grain[1:-1, :-2] + grain[1:-1, 2:]) * 2.5
    rods = [ellipse(x, y, (rod_x, CT_ROD_Y_MM), (CT_ROD_RADIUS_MM, CT_ROD_RADIUS_MM)) <= 1 for rod_x, _ in CT_RODS]
    grain = np.where(mean_of_four(np.logical_or.reduce(rods).astype(float)) > 0, 0.0, grain)
    stored = np.rint(np.clip(mean_of_four(hu) + grain, -1024, 3071) + 1024)
    outside = mean_of_four(ellipse(x, y, (0, -1), (192, 192))) > 1
    return np.where(outside, CT_PADDING, stored).astype(np.int16)


def ct_tissues(x: Array, y: Array, z: float) -> Iterator[tuple[Array, Array | float]]:
    """Where each tissue lies and its HU, each over the ones before it; the patient's left is +x, the back +y, the head +z."""
    up = (z + 180) / 115  # 0 at the lowest slice, 1 at the highest
    wide, deep = 165 - 22 * up * up * up, 104 - 16 * up * up
    body = ellipse(x, y, (0, -2), (wide, deep))
    body = body - 0.22 * ((x / wide) * ((y + 2) / deep)) ** 2  # broader shoulders than an ellipse has
    yield body <= 1, -105.0  # fat
    yield body <= 0.86 + 0.04 * up, 55.0  # muscle
    chest = ellipse(x, y, (0, -4), (wide - 32, deep - 24))
    yield (chest < 1.12) & (chest > 0.93) & ((z + 0.35 * y + 0.1 * abs(x)) % 24 < 10), 480.0  # ribs slope down to the front
    yield (chest < 1.07) & (chest > 0.985) & ((z + 0.35 * y + 0.1 * abs(x)) % 24 < 8), 220.0
    yield chest < 0.93, -75.0  # fat between the organs
    lung = np.zeros(body.shape, dtype=bool)
    for side in (-1, 1):
        height = 1 - ((z + 150) / (108 if z > -150 else 75)) ** 2
        radius = np.sqrt(max(height, 0.0))
        lung |= (ellipse(x, y, (side * 70, 0), (52 * radius + 1e-9, 74 * radius + 1e-9)) < 1) & (chest < 0.9)
    heart = ((x - 26) / 54) ** 2 + ((y + 26) / 42) ** 2 + ((z + 152) / 42) ** 2
    lung &= (ellipse(x, y, (0, 20), (20, 80)) > 1) & (heart > 1.06)
    yield lung, -865 + 0.35 * y  # denser where the patient lies on it
    yield from ct_vessels(x, y, z, lung)
    yield heart < 1.06, -60.0
    yield heart < 1, 48.0
    yield ((x - 34) / 30) ** 2 + ((y + 30) / 24) ** 2 + ((z + 154) / 30) ** 2 < 1, 170.0  # blood with contrast medium
    yield ((x + 2) / 24) ** 2 + ((y + 22) / 20) ** 2 + ((z + 150) / 26) ** 2 < 1, 150.0
    liver = ((x + 62) / 66) ** 2 + ((y - 2) / 76) ** 2 + ((z + 203) / 42) ** 2
    yield (liver < 1) & (chest < 0.92), 62.0
    yield (((x - 92) / 30) ** 2 + ((y - 34) / 34) ** 2 + ((z + 196) / 30) ** 2 < 1) & (chest < 0.92), 50.0  # spleen
    yield ((x - 58) / 34) ** 2 + ((y + 28) / 30) ** 2 + ((z + 200) / 28) ** 2 < 1, -20.0  # stomach
    yield (((x - 58) / 28) ** 2 + ((y + 36) / 22) ** 2 + ((z + 200) / 26) ** 2 < 1) & (y < -34), -960.0  # and its air
    yield ellipse(x, y, (24, 44), (13, 13)) < 1, 185.0  # descending aorta
    yield (ellipse(x, y, (-8, -24), (16, 16)) < 1) & (-140 < z < -98), 190.0  # ascending aorta
    yield (from_segment((x, y), (-6, -18), (24, 42)) < 13.5**2) & (-106 < z < -84), 190.0  # arch
    yield (ellipse(x, y, (-30, -30), (10, 10)) < 1) & (z > -150), 150.0  # vena cava
    for center in ((-14, -14), (6, -4), (20, 4)):
        yield (ellipse(x, y, center, (6, 6)) < 1) & (z >= -86), 180.0  # to the neck and the arms
    yield ellipse(x, y, (12, 28), (7, 6)) < 1, 30.0  # oesophagus
    apart = np.sqrt(max(-z - 112, 0.0)) * 6.5
    for side in (-1, 1):
        yield (ellipse(x, y, (side * apart, 10), (10.5, 10.5)) < 1) & (z > -140), 40.0
        yield (ellipse(x, y, (side * apart, 10), (8.5, 8.5)) < 1) & (z > -140), -985.0  # windpipe and its two branches
    yield from ct_bones(x, y, z, deep)
    yield (abs(x) < 105) & (abs(y - CT_ROD_Y_MM) < 10.5), 20.0  # slab with rods
    for rod_x, hu in CT_RODS:
        yield ellipse(x, y, (rod_x, CT_ROD_Y_MM), (CT_ROD_RADIUS_MM, CT_ROD_RADIUS_MM)) <= 1, float(hu)
    table = y - 138 + (x / 60) ** 2 * 1.1
    yield (table > -2) & (table < 4) & (abs(x) < 175), -180.0
    yield (table > 0) & (table < 2.4) & (abs(x) < 172), -900.0


def ct_bones(x: Array, y: Array, z: float, deep: float) -> Iterator[tuple[Array, Array | float]]:
    """Vertebrae of 24 mm with discs between them, breastbone, shoulder blades."""
    in_disc = (z + 180) % 24 < 5
    yield ellipse(x, y, (0, 58), (21, 17)) < 1, 95.0 if in_disc else 620.0
    if not in_disc:
        yield ellipse(x, y, (0, 58), (18.5, 14.5)) < 1, 210.0
    yield ellipse(x, y, (0, 82), (15, 14)) < 1, 560.0
    if (z + 180) % 24 >= 12:
        yield (abs(y - 84 - 0.12 * abs(x)) < 5) & (abs(x) < 40), 420.0  # transverse processes
    yield (abs(x) < 4.5) & (y > 80) & (y < min(deep - 10, 97)), 520.0
    yield ellipse(x, y, (0, 80), (9.5, 8.5)) < 1, 22.0  # spinal canal
    yield ellipse(x, y, (0, 80), (5, 4)) < 1, 38.0
    front = -deep + 17
    yield (abs(x) < 19) & (abs(y - front) < 6.5), 450.0
    yield (abs(x) < 16.5) & (abs(y - front) < 4.2), 160.0
    if z > -125:
        for side in (-1, 1):
            along, across = side * x - 82, y - 56 + 0.55 * (side * x - 82)
            yield (abs(along) < 30 + 0.15 * (z + 125)) & (abs(across) < 5.5), 560.0
            yield (abs(along) < 26 + 0.15 * (z + 125)) & (abs(across) < 2.6), 230.0


def ct_vessels(x: Array, y: Array, z: float, lung: Array) -> Iterator[tuple[Array, Array | float]]:
    """Vessels that branch twice from the root of each lung outwards, and one round nodule."""
    for start, end, radii in vessel_tree():
        if not min(start[2], end[2]) - 5 < z < max(start[2], end[2]) + 5:
            continue
        place = along_segment((x, y, z), start, end)
        radius = radii[0] + place * (radii[1] - radii[0])
        yield lung & (from_segment((x, y, z), start, end) < radius**2), 35.0
    yield lung & ((x + 96) ** 2 + (y + 22) ** 2 + (z + 128) ** 2 < 81), 45.0


def vessel_tree() -> list[tuple[Point, Point, tuple[float, float]]]:
    """Start, end [mm] and radii at both [mm] of each piece: twelve trunks a side, each with four branches of three twigs."""
    pieces = []
    throws = iter((noise(7, (6000,)) * 0.5).tolist())

    def grow(start: Point, way: Sequence[float], spread: float, radii: tuple[float, float]) -> Point:
        x, y, z = (at + step + spread * next(throws) for at, step in zip(start, way, strict=True))
        end = (x, y, z)
        pieces.append((start, end, radii))
        return end

    for side in (-1, 1):
        for back, up in product((-1, 0, 1), (-2, -1, 0, 1)):
            fork = grow((side * 26.0, 8.0, -122.0), (side * 24, back * 26, up * 26), 10, (4.4, 3.0))
            for _ in range(4):
                twig = grow(fork, (side * 14, back * 10, up * 8), 26, (2.7, 1.9))
                for _ in range(3):
                    grow(twig, (side * 8, back * 8, up * 6), 24, (1.7, 1.0))
    return pieces


def mr_slice(echo: int, z: float) -> Array:
    """Stored values of the head at `z` along the normal, uint16 `MR_SHAPE`, without noise: `MR_SIGNALS` where a tissue fills a pixel."""
    x, y = fine_grid(MR_ORIGIN_MM, MR_SPACING_MM, MR_SHAPE)
    size = 1 - z * z / 12000
    head = ellipse(x, y, (0, 0), (78 * size, 96 * size))
    folds = ellipse(x, y, (0, 0), (58 * size, 76 * size)) + 0.05 * (np.floor((x + y) / 7) % 2)
    signal = {name: float(values[echo]) for name, values in MR_SIGNALS.items()}
    picture = np.where(head < 1, signal["fat"], 8.0)
    picture = np.where(head < 0.86, 25.0, picture)  # bone has no signal
    picture = np.where(head < 0.74, signal["fluid"], picture)
    picture = np.where(folds < 1, signal["brain"], picture)
    for side in (-1, 1):
        bent = x - side * (12 + 0.2 * abs(y))  # ventricles
        picture = np.where(ellipse(bent, y, (0, -4 + z), (7, 30 * size)) < 1, signal["fluid"], picture)
    picture = np.where((x - 30) ** 2 + (y - 30) ** 2 + (z + 2) ** 2 < 144, signal["lesion"], picture)
    return np.rint(mean_of_four(picture)).astype(np.uint16)


def ball_center(frame: int) -> tuple[int, int]:
    """Row and column of the ball's centre: twelve places on a circle."""
    half = np.sqrt(3) / 2
    cosines = (1, half, 0.5, 0, -0.5, -half, -1, -half, -0.5, 0, 0.5, half)
    return int(np.rint(56 + 22 * cosines[(frame + 9) % 12])), int(np.rint(64 + 22 * cosines[frame]))


def cine_frame(frame: int) -> Array:
    """One frame, uint8 `(rows, columns, 3)`: speckle in a sector, the ball in (255, 208, 64)."""
    rows, columns = np.indices(CINE_SHAPE)
    distance = np.sqrt((rows + 12.0) ** 2 + (columns - 63.5) ** 2)
    in_sector = (abs(columns - 63.5) < 0.75 * (rows + 12)) & (distance > 20) & (distance < 104)
    speckle = np.clip(70 + 26 * noise(frame, CINE_SHAPE) - 0.35 * distance, 0, 160)
    gray = np.where(in_sector, np.rint(speckle / 8) * 8, 0)
    row, column = ball_center(frame)
    ball = ((rows - row) ** 2 + (columns - column) ** 2 < 64) & in_sector
    return np.where(ball[..., None], (255, 208, 64), gray[..., None]).astype(np.uint8)


def pet_spheres() -> list[tuple[float, float, float]]:
    """x, y and radius of the spheres [mm]."""
    half = float(np.sqrt(3) / 2)
    circle = ((1, 0), (0.5, -half), (-0.5, -half), (-1, 0), (-0.5, half), (0.5, half))
    return [
        (round(PET_CENTER_MM[0] + 57.2 * x, 3), round(PET_CENTER_MM[1] + 57.2 * y, 3), radius)
        for (x, y), radius in zip(circle, PET_RADII_MM, strict=True)
    ]


def pet_slice(z: float) -> Array:
    """Activity at `z` [Bq/ml], float64 `PET_SHAPE`."""
    x, y = fine_grid(PET_ORIGIN_MM, PET_SPACING_MM, PET_SHAPE)
    activity = np.where(ellipse(x, y, (0, 0), (146, 108)) < 1, PET_BACKGROUND, 0.0)
    for sphere_x, sphere_y, radius in pet_spheres():
        hot = (x - sphere_x) ** 2 + (y - sphere_y) ** 2 + (z - PET_CENTER_MM[2]) ** 2 < radius**2
        activity = np.where(hot, PET_HOT, activity)
    return mean_of_four(activity)
