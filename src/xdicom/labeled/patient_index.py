"""Selection by patient position on stacks of any orientation: a lazy index that computes positions and never holds them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from xarray import Index
from xarray.core.coordinate_transform import CoordinateTransform
from xarray.core.indexes import CoordinateTransformIndex
from xarray.core.indexing import IndexSelResult

from xdicom.errors import InconsistentSeriesError
from xdicom.labeled.geometry import affine_of

NAMES = ("px", "py", "pz")
"""Coordinates of a voxel's centre toward the patient's left, back and head (PS3.3 C.7.6.2.1.1)."""
_SIDES = ("left", "back", "head")


def patient_coords(array: xr.DataArray) -> xr.DataArray:
    """The array with the coordinates `px`, `py` and `pz`: where each voxel lies in the patient (LPS) [mm].

    They depend on `z`, `y` and `x` and are computed when they are looked at; the array stays as lazy as it was.
    `sel(px=, py=, pz=)` gives the voxel that a point lies in, and for DataArrays of many points the voxel of each. A point
    outside all voxels raises KeyError. The coordinates stay through selection by position along `z`, `y` and `x`.
    Drop them, `drop_vars(["px", "py", "pz"])`, before writing: a store holds three numbers for every voxel.

    Raises
    ------
    InconsistentSeriesError
        If the array has no place in the patient, has a single slice (which tells no step), or unevenly spaced slices.

    Examples
    --------
    >>> import xdicom
    >>> ct = xdicom.open_series("testdata/ct").dicom.patient_coords()
    >>> voxel = ct.isel(z=3, y=10, x=20)
    >>> point = {name: float(voxel[name]) for name in ("px", "py", "pz")}
    >>> bool(ct.sel(point)["z"] == voxel["z"])
    True
    """
    for dim in ("y", "x"):
        if dim not in array.dims:
            raise InconsistentSeriesError(f"the array has no dimension {dim}: call patient_coords() before selecting along it")
    affine = affine_of(array)
    if np.linalg.matrix_rank(affine) < 4:
        raise InconsistentSeriesError("a single slice tells no step along its normal: no voxel can be said to hold a point of the patient")
    sizes = [array.sizes.get(dim) for dim in ("z", "y", "x")]
    lines = tuple(Line(dim, np.array(0) if size is None else np.arange(size)) for dim, size in zip(("z", "y", "x"), sizes, strict=True))
    index = PatientIndex(PatientTransform(affine, lines))
    return array.assign_coords(xr.Coordinates.from_xindex(index))


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Voxels along one dimension."""

    dim: str
    """Name of the dimension."""
    indices: np.ndarray
    """Index of each voxel in the array that the affine is of; without a dimension where one voxel was chosen."""

    def nearest(self, wanted: np.ndarray) -> np.ndarray:
        """Position of the voxel nearest to each of the indices `wanted`, -1 where none reaches it."""
        indices = np.atleast_1d(self.indices)
        if not len(indices):
            return np.full(wanted.shape, -1, np.int64)
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        steps = np.diff(ordered)
        reach = 0.5 * max(1, int(steps.min())) if len(steps) else 0.5
        right = np.clip(np.searchsorted(ordered, wanted), 0, len(ordered) - 1)
        left = np.maximum(right - 1, 0)
        chosen = np.where(np.abs(ordered[left] - wanted) <= np.abs(ordered[right] - wanted), left, right)
        # Rounding must not push a point on the very edge of the outermost voxel out of it.
        is_near = np.abs(ordered[chosen] - wanted) <= reach + 1e-6
        return np.where(is_near, order[chosen], -1)


class PatientTransform(CoordinateTransform):
    """Positions along `z`, `y` and `x` to patient positions [mm], and back."""

    def __init__(self, affine: np.ndarray, lines: tuple[Line, ...], names: tuple[Hashable, ...] = NAMES) -> None:
        super().__init__(names, {line.dim: len(line.indices) for line in lines if line.indices.ndim})
        self.affine = affine
        self.lines = lines

    def forward(self, dim_positions: dict[str, Any]) -> dict[Hashable, Any]:
        """Patient position of voxels [mm]."""
        z, y, x = (
            line.indices[np.asarray(dim_positions[line.dim], np.int64)] if line.indices.ndim else line.indices for line in self.lines
        )
        rows = self.affine[:3]
        return {name: row[0] * x + row[1] * y + row[2] * z + row[3] for name, row in zip(self.coord_names, rows, strict=True)}

    def reverse(self, coord_labels: dict[Hashable, Any]) -> dict[str, Any]:
        """Position of the voxel that each point lies in, -1 where it is outside; of a line that was chosen from too."""
        points = np.stack(
            [
                *np.broadcast_arrays(*(np.asarray(coord_labels[name], np.float64) for name in self.coord_names)),
            ]
        )
        matrix = np.linalg.inv(self.affine)
        x, y, z = np.tensordot(matrix[:3, :3], points, axes=1) + matrix[:3, 3].reshape(3, *(1,) * (points.ndim - 1))
        return {line.dim: line.nearest(np.asarray(wanted)) for line, wanted in zip(self.lines, (z, y, x), strict=True)}

    def equals(self, other: CoordinateTransform, **_: Any) -> bool:
        """Whether `other` gives the same voxels the same places."""
        if not isinstance(other, PatientTransform) or not np.array_equal(self.affine, other.affine):
            return False
        return all(a.dim == b.dim and np.array_equal(a.indices, b.indices) for a, b in zip(self.lines, other.lines, strict=True))

    def __repr__(self) -> str:
        return f"PatientTransform({', '.join(f'{dim}: {size}' for dim, size in self.dim_size.items())})"


class PatientIndex(CoordinateTransformIndex):
    """An index of voxels by patient position that selects what holds a point, and refuses what is outside."""

    transform: PatientTransform

    def create_variables(self, variables: Mapping[Any, xr.Variable] | None = None) -> dict[Any, xr.Variable]:
        """The coordinates, computed when they are looked at."""
        made = super().create_variables(variables)
        for name, side in zip(self.transform.coord_names, _SIDES, strict=True):
            made[name].attrs.setdefault("units", "mm")
            made[name].attrs.setdefault("long_name", f"position toward the patient's {side}")
        return dict(made)

    def isel(self, indexers: Mapping[Any, Any]) -> Index | None:
        """The index of a selection; None where it has no dimension left, or points were picked one by one."""
        lines = []
        for line in self.transform.lines:
            key = indexers.get(line.dim, slice(None)) if line.indices.ndim else slice(None)
            if isinstance(key, xr.Variable):
                if key.dims not in ((), (line.dim,)):
                    return None
                key = key.values
            if isinstance(key, np.ndarray) and key.ndim > 1:
                return None
            lines.append(replace(line, indices=np.asarray(line.indices[key])) if line.indices.ndim else line)
        if not any(line.indices.ndim for line in lines):
            return None
        return PatientIndex(PatientTransform(self.transform.affine, tuple(lines), self.transform.coord_names))

    def sel(self, labels: dict[Any, Any], method: str | None = None, tolerance: float | None = None) -> IndexSelResult:
        """Positions of the voxels that points lie in.

        Raises
        ------
        KeyError
            If a point lies outside all voxels.
        ValueError
            If not all three coordinates are given, or in a form that makes no points.
        """
        names = self.transform.coord_names
        if method not in (None, "nearest") or tolerance is not None:
            raise ValueError("points are looked up in the voxel that they lie in: leave out method and tolerance")
        if set(labels) != set(names):
            raise ValueError(f"a point needs {', '.join(map(str, names))}; given: {', '.join(sorted(map(str, labels)))}")
        points = xr.broadcast(*(_as_points(name, labels[name]) for name in names))
        found = self.transform.reverse({name: point.values for name, point in zip(names, points, strict=True)})
        is_outside = np.logical_or.reduce([position < 0 for position in found.values()])
        if is_outside.any():
            raise KeyError(f"{int(is_outside.sum())} of {is_outside.size} points lie outside the voxels of this array")
        chosen = [line.dim for line in self.transform.lines if line.indices.ndim]
        if points[0].ndim == 0:
            return IndexSelResult({dim: int(found[dim]) for dim in chosen})
        return IndexSelResult({dim: xr.Variable(points[0].dims, found[dim]) for dim in chosen})

    def rename(self, name_dict: Mapping[Any, Hashable], dims_dict: Mapping[Any, Hashable]) -> PatientIndex:
        """The index under other names."""
        lines = tuple(replace(line, dim=str(dims_dict.get(line.dim, line.dim))) for line in self.transform.lines)
        names = tuple(name_dict.get(name, name) for name in self.transform.coord_names)
        return PatientIndex(PatientTransform(self.transform.affine, lines, names))


def _as_points(name: Hashable, label: object) -> xr.DataArray:
    if isinstance(label, xr.DataArray):
        return label.reset_coords(drop=True).drop_vars(label.dims, errors="ignore")
    if isinstance(label, xr.Variable):
        return xr.DataArray(label)
    if isinstance(label, slice) or np.ndim(label) > 0:  # type: ignore[arg-type]
        raise ValueError(
            f"{name} takes a number, or a DataArray that shares its dimension with those of the other two; "
            "a box is cut with isel, or by z, y and x"
        )
    return xr.DataArray(float(label))  # type: ignore[arg-type]
