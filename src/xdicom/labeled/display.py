"""Values to be looked at: VOI and presentation (PS3.3 C.11.2, C.11.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.labeled.parameters import (
    DISPLAY,
    MODALITY,
    RESCALE_COORDS,
    STORED,
    STORED_ATTRS,
    VOI_ATTRS,
    Parameter,
    bits_stored,
    modality_table,
    modality_units,
    possible_range,
    refuse_damaged,
    relabeled,
    rescale_parameters,
    stage,
    texts,
    window_coords,
    windows,
)
from xdicom.labeled.tables import table_from_attrs
from xdicom.labeled.values import apply_table, refuse_color, table_dtype, to_modality
from xdicom.lazy.apply import apply, without_last
from xdicom.lazy.cells import Array
from xdicom.transforms.display import Rendering, render
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.modality import modality_dtype, rescale
from xdicom.transforms.presentation import Output, is_inverted
from xdicom.transforms.voi import CT_PRESETS, LINEAR, LINEAR_EXACT, window_arithmetic, window_edges

WindowChoice = str | int | tuple[float, float] | tuple[float, float, str] | None
"""What a person may say for a window."""


@dataclass(frozen=True, slots=True)
class Voi:
    """A window, or a VOI LUT in its place."""

    center: Parameter = 0.0
    width: Parameter = 1.0
    function: str = LINEAR
    table: LookupTable | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How the values of an array become display values."""

    rendering: Rendering
    parameters: tuple[Parameter, Parameter, Parameter, Parameter]
    """Slope, intercept, center and width."""


def to_display(array: xr.DataArray, window: WindowChoice = None, *, dtype: str = "uint8") -> xr.DataArray:
    """Values to be looked at, from stored or modality values.

    Parameters
    ----------
    array
        `stored_values` (to which `to_modality` is applied on the way) or `modality_values`, numpy- or dask-backed.
    window
        - None: the file's first window that all frames have, else its first VOI LUT, else all values possible.
        - A text: the explanation of one of the file's windows or VOI LUTs, or a preset for CT (LUNG, BONE, BRAIN, …),
          in capitals or not. What the file says comes first.
        - A whole number: one of the file's windows, from 0, and behind them its VOI LUTs.
        - `(center, width)` or `(center, width, function)` in the units of the modality values; the function is LINEAR,
          LINEAR_EXACT or SIGMOID.
    dtype
        "uint8" (0 to 255), "uint16" (0 to 65535) or "float32" (0 to 1).

    Returns
    -------
    xarray.DataArray
        `display_values`, lazy where `array` is: 0 is black. MONOCHROME1, Presentation LUT Shape and Presentation LUT
        are applied. Missing values are black (NaN for float32).

    Raises
    ------
    ValueError
        When `array` holds other values, the window is not one that there is, or no window is given for floating-point
        values, whose range has no bounds.

    Examples
    --------
    >>> import xdicom
    >>> ct = xdicom.open_series("testdata/ct")
    >>> view = ct.dicom.to_display(window="LUNG")
    >>> view.name, str(view.dtype)
    ('display_values', 'uint8')
    >>> bool((ct.dicom.to_display((40, 400)) == ct.dicom.to_modality().dicom.to_display((40, 400))).all())
    True
    """
    name = stage(array, (STORED, MODALITY), "to_display")
    refuse_color(array, "to_display")
    if name == STORED and "modality_luts" in array.attrs:
        array = to_modality(array)
    data, plan = before_modality(array, display_plan(array, window, dtype))
    data = apply(partial(render, rendering=plan.rendering), data, *plan.parameters, dtype=np.dtype(dtype))
    gone = (*RESCALE_COORDS, *STORED_ATTRS, *VOI_ATTRS, *window_coords(array))
    return relabeled(array, data, DISPLAY, without=gone, attrs={"photometric_interpretation": "MONOCHROME2"})


def display_plan(array: xr.DataArray, window: WindowChoice, dtype: str) -> Plan:
    """How stored or modality values become display values of `dtype` through `window`."""
    voi = choose_voi(array, window)
    slope: Parameter = 1.0
    intercept: Parameter = 0.0
    modality, table = array.dtype, None
    if array.name == STORED:
        table = modality_table(array)
        if table is not None:
            modality = table_dtype(array, table)
        else:
            slope, intercept = rescale_parameters(array)
            modality = modality_dtype(array.dtype, slope, intercept, bits_stored=bits_stored(array))
    output = _output(array, dtype)
    levels = output.levels if output.presentation is None else 65536
    arithmetic = window_arithmetic(modality, voi.center, voi.width, voi.function, levels)
    rendering = Rendering(modality.name, arithmetic.name, voi.function, output, table, voi.table)
    return Plan(rendering, (slope, intercept, voi.center, voi.width))


def before_modality(array: xr.DataArray, plan: Plan) -> tuple[np.ndarray | Array, Plan]:
    """The values behind modality values that are still to be computed, and the plan from there; else the values as they are.

    Both ways lead to equal bits; this one has no modality values in between.
    """
    found = without_last(array.data) if array.name == MODALITY else None
    if found is None or found[0].dtype != array.dtype:
        return array.data, plan
    link, data, parameters = found
    if link.function is rescale:
        slope, intercept = parameters
        return data, replace(plan, parameters=(slope, intercept, *plan.parameters[2:]))
    if link.function is apply_table:
        table = dict(link.options)["table"]
        return data, replace(plan, rendering=replace(plan.rendering, modality_table=table))
    return array.data, plan


def choose_voi(array: xr.DataArray, window: WindowChoice) -> Voi:
    """The window or VOI LUT that `window` means for `array`.

    Raises
    ------
    ValueError
        When there is none such; the message lists what there is.
    """
    refuse_damaged(array, *(() if isinstance(window, tuple) else ("voi_luts",)))
    offered = _offered(array)
    if window is None:
        usable = [
            voi
            for _, voi in offered
            if voi.table is not None or (np.isfinite(voi.center).all() and bool(np.all(np.asarray(voi.width) > 0)))
        ]
        return _checked(usable[0], "the file's window") if usable else _everything(array)
    if isinstance(window, tuple):
        return _checked(_by_numbers(window), "window")
    if isinstance(window, str):
        wanted = window.strip().casefold()
        for explanation, voi in offered:
            if explanation and explanation.strip().casefold() == wanted:
                return _checked(voi, f"window {window!r}")
        return _preset(array, window, offered)
    if not 0 <= window < len(offered):
        raise ValueError(f"there is no window {window}: {_listed(offered)}")
    return _checked(offered[window][1], f"window {window}")


def _offered(array: xr.DataArray) -> list[tuple[str, Voi]]:
    """Windows of the file, and behind them its VOI LUTs, each with its explanation."""
    found = [(said.explanation, Voi(center, width, said.function)) for center, width, said in windows(array)]
    tables = [table_from_attrs(attrs) for attrs in array.attrs.get("voi_luts", ())]
    return found + [(table.explanation, Voi(table=table)) for table in tables]


def _everything(array: xr.DataArray) -> Voi:
    limits = possible_range(array)
    if limits is None:
        raise ValueError(
            "the file has no window, and floating-point values have no bounds to take in its place: give window=(center, width)"
        )
    low, high = limits
    return Voi((low + high) / 2, high - low, LINEAR_EXACT)


def _by_numbers(window: tuple[float, float] | tuple[float, float, str]) -> Voi:
    if len(window) not in (2, 3):
        raise ValueError(f"a window is (center, width) or (center, width, function), not {len(window)} values")
    center, width, *function = window
    return Voi(float(center), float(width), str(function[0]).upper() if function else LINEAR)


def _preset(array: xr.DataArray, name: str, offered: list[tuple[str, Voi]]) -> Voi:
    key = name.strip().upper().replace(" ", "_").replace("-", "_")
    if key not in CT_PRESETS:
        raise ValueError(f"there is no window {name!r}: {_listed(offered)}; presets for CT are {', '.join(CT_PRESETS)}")
    units = array.attrs.get("units") if array.name == MODALITY else modality_units(array)
    if units != "HU":
        raise ValueError(
            f"the preset {key} is in HU, and these values are in {units or 'no units that the file states'}: give window=(center, width)"
        )
    preset = CT_PRESETS[key]
    return Voi(float(preset.center), float(preset.width), preset.function)


def _listed(offered: list[tuple[str, Voi]]) -> str:
    if not offered:
        return "the file offers none"
    return "the file offers " + ", ".join(f"{number} ({explanation or 'unnamed'})" for number, (explanation, _) in enumerate(offered))


def _checked(voi: Voi, what: str) -> Voi:
    if voi.table is None:
        if " or " in voi.function:
            raise InconsistentSeriesError(
                f"{what} is {voi.function}, from frame to frame: select the frames that share `voi_lut_function`, or give "
                "window=(center, width, function)"
            )
        try:
            window_edges(voi.center, voi.width, voi.function)
        except ValueError as error:
            hint = " in some frames; select those that have it" if isinstance(voi.center, np.ndarray) else ""
            raise ValueError(f"{what} can't be applied{hint}: {error}") from error
    return voi


def _output(array: xr.DataArray, dtype: str) -> Output:
    refuse_damaged(array, "presentation_lut")
    interpretation = str(array.attrs.get("photometric_interpretation", ""))
    polarities = {is_inverted(interpretation, shape) for shape in texts(array, "presentation_lut_shape")}
    if len(polarities) > 1:
        raise InconsistentSeriesError("some frames are shown inverted and others are not: select those that share `presentation_lut_shape`")
    output = Output(dtype, polarities.pop())
    if "presentation_lut" in array.attrs:
        return replace(output, presentation=table_from_attrs(array.attrs["presentation_lut"]), is_inverted=False)
    return output
