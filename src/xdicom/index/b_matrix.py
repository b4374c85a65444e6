"""Gradient directions that a b-matrix alone states: its main axis, where it has but one."""

from __future__ import annotations

import numpy as np

from xdicom.index.records import Records

_PARTS = ("xx", "xy", "xz", "yy", "yz", "zz")
_PLACES = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
SOURCES = (("DiffusionBMatrixSequence", "diffusion_b_value_"), ("(0019,xx27) SIEMENS MR HEADER", ""))
"""What states a b-matrix, public elements before the vendor's; rows and columns are the patient's axes (PS3.3 C.8.13.5.9)."""
LEAST_SHARE = 0.98
"""Share of the weighting that must lie along one axis; imaging gradients take the rest."""
LEAST_B = 10.0
"""Below this what is weighted is the imaging gradients [s/mm2]."""
_TOLERANCE = 0.05
"""Largest difference of the b-value and the trace of the matrix, which is the b-value too, as a share of it."""


def fill_from_b_matrix(records: Records, b_value: np.ndarray, direction: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Fill in what `b_value` [s/mm2] and `direction` lack and a b-matrix states; what stated it, and whose direction that was.

    A matrix that is not of one axis, or contradicts the b-value, gives no direction. The sign of an axis is not stated by any
    matrix: its largest part is taken to be positive. Shapes `(records,)` and `(records, 3)`; both are changed in place.
    """
    sources: list[str] = []
    is_derived = np.zeros(len(records), bool)
    for source, prefix in SOURCES:
        if not records.has(f"{prefix}xx" if prefix else "siemens_b_matrix"):
            continue
        if prefix:
            parts = np.stack([records.numbers(prefix + part) for part in _PARTS], axis=1)
        else:
            parts = records.vectors("siemens_b_matrix", len(_PARTS))
        has_matrix = np.isfinite(parts).all(axis=1)
        if not has_matrix.any():
            continue
        trace = parts[:, [0, 3, 5]].sum(axis=1)
        lacks_b = has_matrix & np.isnan(b_value)
        b_value[lacks_b] = trace[lacks_b]
        is_isotropic = np.isin(records.texts("diffusion_directionality"), ("ISOTROPIC", "NONE"))
        rows = np.flatnonzero(has_matrix & np.isnan(direction).any(axis=1) & (trace >= LEAST_B) & (b_value >= LEAST_B) & ~is_isotropic)
        shares, axes = np.linalg.eigh(parts[rows][:, _PLACES] / trace[rows][:, None, None])
        axis = axes[:, :, -1]
        largest = np.take_along_axis(axis, np.abs(axis).argmax(axis=1)[:, None], axis=1)
        is_one = (shares[:, -1] >= LEAST_SHARE) & (np.abs(trace[rows] - b_value[rows]) <= _TOLERANCE * b_value[rows])
        direction[rows[is_one]] = (axis * np.sign(largest))[is_one]
        is_derived[rows[is_one]] = True
        if lacks_b.any() or is_one.any():
            sources.append(source)
    return sources, is_derived
