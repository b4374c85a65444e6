"""Tables, palettes and mappings as attributes: plain, JSON-able, the same after Zarr."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from xdicom.transforms.blending import DataPath, EnhancedPalette, Weight
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.palette import Palette
from xdicom.transforms.real_world import RealWorldMap

Attrs = dict[str, Any]
"""A value of an attribute: numbers, texts, lists and dicts of them."""


def table_to_attrs(table: LookupTable) -> Attrs:
    """A lookup table as a dict of numbers and texts: the entries are base64 of little-endian numbers.

    Examples
    --------
    >>> table_to_attrs(LookupTable(-1, np.array([1, 2], np.uint16), bits=12))
    {'first_mapped': -1, 'bits': 12, 'explanation': '', 'dtype': 'uint16', 'data': 'AQACAA=='}
    """
    return {
        "first_mapped": int(table.first_mapped),
        "bits": int(table.bits),
        "explanation": table.explanation,
        "dtype": table.data.dtype.name,
        "data": base64.b64encode(table.data.astype(table.data.dtype.newbyteorder("<")).tobytes()).decode("ascii"),
    }


def table_from_attrs(attrs: Mapping[str, Any]) -> LookupTable:
    """The lookup table that `table_to_attrs` made a dict of."""
    dtype = np.dtype(attrs["dtype"])
    data = np.frombuffer(base64.b64decode(attrs["data"]), dtype.newbyteorder("<")).astype(dtype)
    return LookupTable(int(attrs["first_mapped"]), data, int(attrs["bits"]), str(attrs["explanation"]))


def palette_to_attrs(palette: Palette) -> Attrs:
    """A palette as a dict of tables by colour, with `kind` "supplemental" where it is that."""
    attrs: Attrs = {color: table_to_attrs(table) for color, table in zip(("red", "green", "blue", "alpha"), palette.tables, strict=False)}
    if palette.is_supplemental:
        attrs["kind"] = "supplemental"
    return attrs


def palette_from_attrs(attrs: Mapping[str, Any]) -> Palette:
    """The palette that `palette_to_attrs` made a dict of."""
    red, green, blue = (table_from_attrs(attrs[color]) for color in ("red", "green", "blue"))
    alpha = table_from_attrs(attrs["alpha"]) if "alpha" in attrs else None
    return Palette(red, green, blue, alpha, is_supplemental=attrs.get("kind") == "supplemental")


def enhanced_palette_to_attrs(data_types: Sequence[str], palette: EnhancedPalette) -> Attrs:
    """An enhanced palette, and the data types of the frames that it blends, as a dict of numbers, texts, lists and dicts."""
    paths = [
        {
            "bits": list(path.bits),
            "colors": None if path.colors is None else palette_to_attrs(path.colors),
            "alpha": None if path.alpha is None else table_to_attrs(path.alpha),
            "alpha_function": path.alpha_function,
        }
        for path in palette.paths
    ]
    weights = [
        {
            "function": weight.function,
            "constant": float(weight.constant),
            "table": None if weight.table is None else table_to_attrs(weight.table),
        }
        for weight in palette.weights
    ]
    return {"data_types": list(data_types), "bits_stored": int(palette.bits_stored), "paths": paths, "weights": weights}


def enhanced_palette_from_attrs(attrs: Mapping[str, Any]) -> tuple[tuple[str, ...], EnhancedPalette]:
    """The data types and the palette that `enhanced_palette_to_attrs` made a dict of."""

    def table(found: Mapping[str, Any] | None) -> LookupTable | None:
        return None if found is None else table_from_attrs(found)

    paths = tuple(
        DataPath(
            tuple(int(bits) for bits in path["bits"]),
            None if path["colors"] is None else palette_from_attrs(path["colors"]),
            table(path["alpha"]),
            str(path["alpha_function"]),
        )
        for path in attrs["paths"]
    )
    weights = tuple(Weight(str(weight["function"]), float(weight["constant"]), table(weight["table"])) for weight in attrs["weights"])
    return tuple(map(str, attrs["data_types"])), EnhancedPalette(int(attrs["bits_stored"]), paths, weights)


def real_world_maps_to_attrs(sets: Iterable[Sequence[RealWorldMap]]) -> list[Attrs]:
    """Sets of mappings as one list of dicts.

    Parameters
    ----------
    sets
        The mappings of each kind of frame; one set where all frames have the same. The number of a set in this order
        is `set` in its dicts, and what the coordinate `real_world_value_map_index` refers to.
    """
    return [{"set": number, **_map_to_attrs(mapping)} for number, mappings in enumerate(sets) for mapping in mappings]


def real_world_maps_from_attrs(attrs: Iterable[Mapping[str, Any]]) -> dict[int, list[RealWorldMap]]:
    """The mappings that `real_world_maps_to_attrs` made dicts of, by number of set."""
    sets: dict[int, list[RealWorldMap]] = {}
    for entry in attrs:
        fields = {name: value for name, value in entry.items() if name not in ("set", "table") and value is not None}
        table = table_from_attrs(entry["table"]) if entry.get("table") else None
        sets.setdefault(int(entry.get("set", 0)), []).append(RealWorldMap(table=table, **fields))
    return sets


def _map_to_attrs(mapping: RealWorldMap) -> Attrs:
    attrs: Attrs = {
        "first_mapped": mapping.first_mapped if math.isfinite(mapping.first_mapped) else None,
        "last_mapped": mapping.last_mapped if math.isfinite(mapping.last_mapped) else None,
        "slope": mapping.slope,
        "intercept": mapping.intercept,
        "unit": mapping.unit,
        "label": mapping.label,
        "explanation": mapping.explanation,
        "quantity": mapping.quantity,
    }
    if mapping.table is not None:
        attrs["table"] = table_to_attrs(mapping.table)
    return attrs
