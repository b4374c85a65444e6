"""Ultrasound volumes whose frames of several data types are blended by an enhanced palette (PS3.3 C.7.6.23)."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from builders.files import make_file, uid
from builders.geometry import AXIAL
from labeled.opened import opened
from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.labeled.color import to_rgb
from xdicom.labeled.display import to_display
from xdicom.labeled.values import to_modality

ULTRASOUND_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
TISSUE, VELOCITY, VARIANCE = "TISSUE_INTENSITY", "FLOW_VELOCITY", "FLOW_VARIANCE"
Z = (0.0, 2.0)
GRAY = {"DataPathID": "PRIMARY", "RGBLUTTransferFunction": "EQUAL_RGB", "AlphaLUTTransferFunction": "NONE"}


def constant(number: int, weight: float) -> list[dict[str, Any]]:
    return [{f"BlendingLUT{number}TransferFunction": "CONSTANT", "BlendingWeightConstant": weight}]


def function(number: int, name: str) -> list[dict[str, Any]]:
    return [{f"BlendingLUT{number}TransferFunction": name}]


def palette(path: str, alpha: list[int] | None = None, **tables: list[int]) -> dict[str, Any]:
    """A palette of tables of 8 bits."""
    found: dict[str, Any] = {
        "DataPathID": path,
        "RGBLUTTransferFunction": "TABLE",
        "AlphaLUTTransferFunction": "TABLE" if alpha else "NONE",
    }
    for color, entries in (*tables.items(), *((("Alpha", alpha),) if alpha else ())):
        found[f"{color}PaletteColorLookupTableDescriptor"] = [len(entries), 0, 8]
        found[f"{color}PaletteColorLookupTableData"] = bytes(entries) + b"\0" * (len(entries) % 2)
    return found


def assigned(kind: str, path: str, bits: int | None = None, **more: Any) -> dict[str, Any]:
    return {"DataType": kind, "DataPathAssignment": path, **({"BitsMappedToColorLookupTable": bits} if bits else {}), **more}


def make_volume(path: Path, kinds: tuple[str, ...], values: np.ndarray, **elements: Any) -> xr.DataArray:
    """A volume of the planes `Z` for each of `kinds`; `values` has the shape `(kinds, planes, rows, columns)`."""
    frames = [
        {
            "ImageDataTypeSequence": [{"DataType": kind, "AliasedDataType": "NO"}],
            "PlanePositionVolumeSequence": [{"ImagePositionVolume": [0.0, 0.0, z]}],
            "PlaneOrientationVolumeSequence": [{"ImageOrientationVolume": list(AXIAL)}],
        }
        for kind in kinds
        for z in Z
    ]
    given = {
        "SOPClassUID": ULTRASOUND_VOLUME,
        "Modality": "US",
        "SeriesInstanceUID": uid("one"),
        "SharedFunctionalGroupsSequence": [{"PixelMeasuresSequence": [{"PixelSpacing": [0.7, 0.5]}]}],
        "PerFrameFunctionalGroupsSequence": frames,
        **elements,
    }
    return opened(make_file(path, given, values.reshape(-1, *values.shape[2:])))


STORED = np.array(
    [
        [[[10, 20, 30]], [[40, 50, 60]]],
        [[[0, 64, 128]], [[192, 255, 0]]],
    ],
    np.uint8,
)


@pytest.fixture
def threshold(tmp_path: Path) -> xr.DataArray:
    """Gray tissue below a fourth of the velocity, colors from there on; the highest 2 bits of the velocity choose the color."""
    flow = palette("SECONDARY", [0, 255, 255, 255], Red=[0, 100, 200, 250], Green=[0, 1, 2, 3], Blue=[9, 8, 7, 6])
    return make_volume(
        tmp_path / "us.dcm",
        (TISSUE, VELOCITY),
        STORED,
        DataFrameAssignmentSequence=[assigned(TISSUE, "PRIMARY_SINGLE"), assigned(VELOCITY, "SECONDARY_SINGLE", 2)],
        BlendingLUT1Sequence=[
            {
                "BlendingLUT1TransferFunction": "TABLE",
                "BlendingLookupTableDescriptor": [0, 0, 8],
                "BlendingLookupTableData": (255 * (np.arange(65536) % 256 == 0)).astype("<u2").tobytes(),
            }
        ],
        BlendingLUT2Sequence=function(2, "ONE_MINUS"),
        EnhancedPaletteColorLookupTableSequence=[GRAY | {"AlphaLUTTransferFunction": "IDENTITY"}, flow],
    )


EXPECTED = np.array([[[[10, 10, 10], [100, 1, 8], [200, 2, 7]]], [[[250, 3, 6], [250, 3, 6], [60, 60, 60]]]], np.uint8)


def test_tissue_and_flow_are_an_axis_and_blend_to_one_picture(threshold: xr.DataArray) -> None:
    assert threshold.dims == ("data_type", "z", "y", "x")
    assert threshold["data_type"].values.tolist() == [VELOCITY, TISSUE]

    rgb = to_rgb(threshold)

    assert rgb.dims == ("z", "y", "x", "sample")
    assert rgb.name == "rgb"
    assert rgb.data.numblocks == (2, 1, 1, 1)
    assert np.array_equal(rgb.values, EXPECTED)
    assert rgb["z"].values.tolist() == list(Z)
    assert not {"data_type", "frame_number"} & set(rgb.coords)
    assert not {"enhanced_palette", "bits_stored", "data_type"} & rgb.attrs.keys()


def test_any_chunks_and_eager_values_and_pickles_give_equal_bits(threshold: xr.DataArray) -> None:
    for form in (threshold.compute(), threshold.chunk({"data_type": 2, "z": 2}), threshold.chunk({"x": 2}), threshold[::-1]):
        assert np.array_equal(to_rgb(form).values, EXPECTED)
    assert np.array_equal(pickle.loads(pickle.dumps(to_rgb(threshold))).values, EXPECTED)
    assert np.array_equal(to_rgb(threshold.isel(z=1)).values, EXPECTED[1])


def test_the_palette_survives_zarr(threshold: xr.DataArray, tmp_path: Path) -> None:
    assert json.loads(json.dumps(threshold.attrs["enhanced_palette"])) == threshold.attrs["enhanced_palette"]
    threshold.dicom.to_zarr(tmp_path / "store.zarr")

    again = xr.open_zarr(tmp_path / "store.zarr")["stored_values"]

    assert np.array_equal(to_rgb(again).values, EXPECTED)


def test_two_dimensional_colors_of_velocity_and_variance(tmp_path: Path) -> None:
    kinds = (TISSUE, VELOCITY, VARIANCE)
    values = np.zeros((3, 2, 1, 1), np.uint8)
    values[0], values[1], values[2] = 51, 0b10110111, 0b01111111
    ramp = list(range(256))
    array = make_volume(
        tmp_path / "us.dcm",
        kinds,
        values,
        DataFrameAssignmentSequence=[
            assigned(VARIANCE, "SECONDARY_LOW", 3),
            assigned(TISSUE, "PRIMARY_SINGLE", 8),
            assigned(VELOCITY, "SECONDARY_HIGH", 5),
        ],
        BlendingLUT1Sequence=function(1, "ALPHA_1"),
        BlendingLUT2Sequence=function(2, "ALPHA_2"),
        EnhancedPaletteColorLookupTableSequence=[
            palette("SECONDARY", [51] * 256, Red=ramp, Green=[0] * 256, Blue=ramp[::-1]),
            palette("PRIMARY", ramp, Red=ramp, Green=ramp, Blue=ramp),
        ],
    )

    # tissue adds 51/255 of 51, 10.2; the index is 179, and a fifth of 179, 0 and 76 comes from the flow
    assert to_rgb(array).values[0, 0, 0].tolist() == [46, 10, 25]


def test_an_object_of_one_data_type_has_its_own_colors(tmp_path: Path) -> None:
    array = make_volume(
        tmp_path / "us.dcm",
        (TISSUE,),
        STORED[:1] % 3,
        DataFrameAssignmentSequence=[assigned(TISSUE, "PRIMARY_SINGLE")],
        BlendingLUT1Sequence=constant(1, 1.0),
        EnhancedPaletteColorLookupTableSequence=[palette("PRIMARY", Red=[1, 2, 3], Green=[4, 5, 6], Blue=[7, 8, 9])],
    )

    assert to_rgb(array).values[:, 0].tolist() == [[[2, 5, 8], [3, 6, 9], [1, 4, 7]]] * 2


def test_without_frames_of_all_types_it_says_which_are_missing(threshold: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="blends frames of type TISSUE_INTENSITY, and this array has FLOW_VELOCITY"):
        to_rgb(threshold.sel(data_type=VELOCITY))
    with pytest.raises(ValueError, match="takes stored values as they are"):
        to_rgb(threshold.astype(np.float32))
    with pytest.raises(ValueError, match="grayscale: name a palette"):
        to_rgb(to_modality(threshold))
    assert to_rgb(threshold, "HOT_IRON").dims == ("data_type", "z", "y", "x", "sample")
    assert to_display(threshold).dims == threshold.dims


ONE = {"BlendingLUT1Sequence": constant(1, 1.0), "EnhancedPaletteColorLookupTableSequence": [GRAY]}


@pytest.mark.parametrize(
    ("elements", "error", "message"),
    [
        ({"DataFrameAssignmentSequence": [assigned(TISSUE, "PRIMARY_PVALUES")]}, UnsupportedEncodingError, "PRIMARY_PVALUES.*to_display"),
        (
            {"DataFrameAssignmentSequence": [assigned(TISSUE, "PRIMARY_SINGLE", WindowCenter=1.0, WindowWidth=2.0)], **ONE},
            UnsupportedEncodingError,
            "a window or VOI LUT of their own",
        ),
        ({"DataFrameAssignmentSequence": [assigned(TISSUE, "SIDEWAYS")], **ONE}, PixelDataError, "to the data path 'SIDEWAYS'"),
        (
            {"DataFrameAssignmentSequence": [assigned(TISSUE, "PRIMARY_SINGLE"), assigned(VELOCITY, "SECONDARY_LOW")], **ONE},
            PixelDataError,
            "do not belong together",
        ),
        ({"DataFrameAssignmentSequence": [assigned(TISSUE, "SECONDARY_SINGLE")], **ONE}, PixelDataError, "do not belong together"),
        ({"DataFrameAssignmentSequence": [assigned(TISSUE, "PRIMARY_SINGLE")]}, PixelDataError, "no item for the PRIMARY data path"),
        (
            {"DataFrameAssignmentSequence": [assigned(TISSUE, "PRIMARY_SINGLE", 12)], **ONE},
            PixelDataError,
            "of 12: each has to be 1 to 8",
        ),
        (
            {"DataFrameAssignmentSequence": [assigned(TISSUE, "PRIMARY_SINGLE")], **ONE, "BlendingLUT1Sequence": []},
            PixelDataError,
            r"no Blending LUT 1 Sequence \(0028,1404\)",
        ),
        (
            {
                "DataFrameAssignmentSequence": [assigned(TISSUE, "PRIMARY_SINGLE")],
                **ONE,
                "EnhancedPaletteColorLookupTableSequence": [GRAY | {"RGBLUTTransferFunction": "TABLE"}],
            },
            PixelDataError,
            "PRIMARY data path has a palette without data",
        ),
    ],
)
def test_what_can_not_be_known_is_refused(tmp_path: Path, elements: dict[str, Any], error: type[Exception], message: str) -> None:
    array = make_volume(tmp_path / "us.dcm", (TISSUE,), STORED[:1], **elements)

    with pytest.raises(error, match=message):
        to_rgb(array)
    assert to_display(array).dtype == np.uint8


def test_signed_values_have_no_bits_for_an_enhanced_palette(tmp_path: Path) -> None:
    elements = {"DataFrameAssignmentSequence": [assigned(TISSUE, "PRIMARY_SINGLE")], **ONE}
    array = make_volume(tmp_path / "us.dcm", (TISSUE,), STORED[:1].astype(np.int8), **elements)

    with pytest.raises(UnsupportedEncodingError, match="these have a sign"):
        to_rgb(array)
