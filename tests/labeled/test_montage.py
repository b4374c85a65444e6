"""Pictures show the frames that they say, in true proportions."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xdicom.labeled.lettering import LETTERS, write_letters
from xdicom.labeled.montage import draw_frame, draw_montage

GAP, GRAY = 2, 56
"""Lines between tiles."""


def stack(*lengths: int, dims: tuple[str, ...] = ("z",), rows: int = 32, columns: int = 32, **attrs: object) -> xr.DataArray:
    """Frames each of one value: 10 times its number; the whole range of 8 bits is shown as it is."""
    count = int(np.prod(lengths))
    values = np.repeat(np.arange(count, dtype=np.uint8) * 10, rows * columns).reshape(*lengths, rows, columns)
    kept = {"photometric_interpretation": "MONOCHROME2", "samples_per_pixel": 1, "bits_stored": 8, "pixel_representation": 0, **attrs}
    return xr.DataArray(values, dims=(*dims, "y", "x"), attrs=kept, name="stored_values")


def colored(count: int = 2, **attrs: object) -> xr.DataArray:
    samples = np.zeros((count, 32, 32, 3), np.uint8)
    samples[..., 0], samples[..., 1] = 200, 100
    kept = {"photometric_interpretation": "RGB", "samples_per_pixel": 3, "bits_stored": 8, **attrs}
    return xr.DataArray(samples, dims=("time", "y", "x", "sample"), attrs=kept, name="stored_values")


def centers(pixels: np.ndarray, rows: int, columns: int) -> list[int]:
    """Value in the middle of each tile."""
    height, width = (pixels.shape[0] + GAP) // rows, (pixels.shape[1] + GAP) // columns
    return [int(pixels[row * height + height // 2, column * width + width // 2]) for row in range(rows) for column in range(columns)]


@pytest.mark.parametrize("held", ["numpy", "dask"])
def test_frames_lie_in_rows_from_left_to_right(held: str) -> None:
    array = stack(6) if held == "numpy" else stack(6).chunk({"z": 1})

    picture = draw_montage(array, columns=3, size=300)

    assert centers(picture.pixels, 2, 3) == [0, 10, 20, 30, 40, 50]
    assert (picture.shown, picture.frames) == (6, 6)


def test_frames_of_a_long_series_are_evenly_spaced() -> None:
    array = stack(24)

    picture = draw_montage(array, columns=4, size=400)

    assert picture.shown == 16
    assert np.diff(centers(picture.pixels, 4, 4)).tolist() == [20, 10] * 7 + [20]


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (7, 7), (16, 16), (17, 15), (500, 15)])
def test_number_of_tiles_follows_the_number_of_frames(count: int, shown: int) -> None:
    array = xr.concat([stack(1)] * count, "z")

    assert draw_montage(array, size=200).shown == shown


def test_only_frames_that_are_shown_are_computed() -> None:
    import dask.array as da

    computed: list[int] = []

    def block(block_info: dict) -> np.ndarray:
        computed.append(block_info[None]["chunk-location"][0])
        return np.zeros((1, 32, 32), np.uint8)

    array = stack(24)
    array = array.copy(data=da.map_blocks(block, chunks=((1,) * 24, (32,), (32,)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8)))

    picture = draw_montage(array, columns=4)

    assert len(computed) == picture.shown == 16


def test_rows_are_the_steps_of_an_extra_axis() -> None:
    array = stack(2, 6, dims=("echo_time", "z"))

    picture = draw_montage(array, columns=6, size=600)

    assert centers(picture.pixels, 2, 6) == list(range(0, 120, 10))


def test_axes_of_one_step_take_no_row() -> None:
    array = stack(1, 6, 1, dims=("segment", "time", "z"))

    picture = draw_montage(array, columns=3, size=300)

    assert centers(picture.pixels, 2, 3) == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize("size", [100, 333, 1024])
def test_longer_side_is_the_size_asked_for(size: int) -> None:
    pixels = draw_montage(stack(12), size=size).pixels

    assert size - 4 <= max(pixels.shape) <= size


@pytest.mark.parametrize(
    ("attrs", "aspect"),
    [
        ({}, 1),
        ({"pixel_spacing": [3.0, 1.0]}, 3),
        ({"imager_pixel_spacing": [0.1, 0.2]}, 0.5),
        ({"pixel_aspect_ratio": [2, 1]}, 2),
        ({"pixel_spacing": [1.0, 1.0], "pixel_aspect_ratio": [2, 1]}, 1),
    ],
)
def test_pixels_have_their_true_proportions(attrs: dict, aspect: float) -> None:
    height, width = draw_montage(stack(1, **attrs), size=300).pixels.shape

    assert height / width == pytest.approx(aspect, rel=0.01)


def test_coordinates_tell_the_proportions_of_an_array_that_was_thinned_out() -> None:
    array = stack(1, pixel_spacing=[1.0, 1.0]).assign_coords(y=np.arange(32) * 2.0, x=np.arange(32) * 1.0)

    height, width = draw_montage(array[:, ::2], size=300).pixels.shape

    assert height / width == pytest.approx(2, rel=0.01)


def test_lines_part_the_tiles_and_empty_places_are_as_gray() -> None:
    pixels = draw_montage(stack(5), columns=3, size=302).pixels

    assert (pixels[:, 100] == GRAY).all()
    assert (pixels[130:, 220:] == GRAY).all()


def test_window_maps_modality_values() -> None:
    array = stack(3).assign_coords(rescale_slope=1.0, rescale_intercept=-10.0)

    assert centers(draw_montage(array, (0.0, 20.0, "LINEAR_EXACT"), columns=3).pixels, 1, 3) == [0, 128, 255]


def test_first_window_of_the_file_is_taken() -> None:
    array = stack(3).assign_coords(window_center=10.0, window_width=20.0).assign_attrs(voi_lut_function="LINEAR_EXACT")

    picture = draw_montage(array, columns=3)

    assert centers(picture.pixels, 1, 3) == [0, 128, 255]
    assert picture.measured_window is None


def test_window_is_measured_and_told_where_the_file_has_none() -> None:
    array = stack(3).astype(np.int16).assign_attrs(bits_stored=16, pixel_representation=1)

    picture = draw_montage(array, columns=3)

    assert picture.measured_window == (0.0, 20.0)
    assert centers(picture.pixels, 1, 3) == [0, 128, 255]


def test_padding_is_left_out_where_a_window_is_measured() -> None:
    array = stack(3).astype(np.int16).assign_attrs(bits_stored=16, pixel_representation=1, pixel_padding_value=20)

    assert draw_montage(array).measured_window == (0.0, 10.0)


def test_floats_without_bounds_are_measured_and_missing_values_are_black() -> None:
    array = stack(3).astype(np.float32).where(stack(3) > 0).rename("modality_values")

    picture = draw_montage(array, columns=3)

    assert picture.measured_window == (10.0, 20.0)
    assert centers(picture.pixels, 1, 3) == [0, 0, 255]


def test_frames_of_one_value_need_no_width() -> None:
    array = xr.zeros_like(stack(2), dtype=np.int16).assign_attrs(bits_stored=16, pixel_representation=1)

    assert draw_montage(array).measured_window == (0.0, 1.0)


def test_color_stays_color() -> None:
    pixels = draw_montage(colored(), size=200).pixels

    assert pixels.shape[-1] == 3
    assert pixels[pixels.shape[0] // 2, 20].tolist() == [200, 100, 0]


def test_color_of_more_bits_is_scaled_to_eight() -> None:
    array = colored().astype(np.uint16).assign_attrs(bits_stored=12) * np.uint16(16)
    array = array.rename("stored_values").assign_attrs(colored(bits_stored=12).attrs)

    picture = draw_frame(array, 0)

    assert picture.pixels[5, 5].tolist() == [199, 100, 0]


def test_a_window_for_color_is_refused() -> None:
    with pytest.raises(ValueError, match="RGB"):
        draw_montage(colored(), "LUNG")


def test_one_frame_is_drawn_pixel_by_pixel() -> None:
    array = stack(2, 3, dims=("time", "z"))
    array[1, 1, 3, 4] = 255

    picture = draw_frame(array, 4)

    assert picture.pixels.shape == (32, 32)
    assert np.array_equal(picture.pixels, array.values[1, 1])
    assert (picture.shown, picture.frames) == (1, 6)


def test_one_frame_is_as_large_as_asked_for() -> None:
    assert draw_frame(stack(2, pixel_spacing=[1.0, 2.0]), 0, size=128).pixels.shape == (64, 128)


def test_a_single_image_has_one_frame() -> None:
    picture = draw_frame(stack(2)[1], 0)

    assert picture.pixels[0, 0] == 10
    assert draw_montage(stack(2)[1]).shown == 1


@pytest.mark.parametrize("frame", [-1, 3])
def test_a_frame_that_is_not_there_is_refused_with_the_number_of_frames(frame: int) -> None:
    with pytest.raises(ValueError, match="has 3"):
        draw_frame(stack(3), frame)


def test_shrinking_keeps_the_mean() -> None:
    array = stack(1)
    array.values[0] = np.indices((32, 32)).sum(axis=0) % 2 * 200

    assert draw_frame(array, 0, size=16).pixels[4:-4, 4:-4].mean() == pytest.approx(100, abs=1)


def test_place_of_a_frame_is_written_into_its_tile() -> None:
    array = stack(2).assign_coords(z=("z", [-5.0, 5.0], {"units": "mm"}))
    written = np.full((300, 300, 1), 10, np.uint8)
    write_letters(written, ["z 5 mm"])

    pixels = draw_montage(array, columns=2, size=602).pixels

    assert np.array_equal(pixels[-28:, 302:422], written[-28:, :120, 0])


def test_every_letter_has_a_shape_of_its_own() -> None:
    shapes = set()
    for letter in LETTERS:
        tile = np.zeros((20, 40, 1), np.uint8)
        write_letters(tile, [letter])
        shapes.add(tile.tobytes())

    assert len(shapes) == len(LETTERS)


def test_a_line_too_long_for_its_tile_is_left_out() -> None:
    tile = np.full((40, 40, 1), 7, np.uint8)

    write_letters(tile, ["a line that is too long"])

    assert (tile == 7).all()


def test_letters_stay_within_a_low_tile() -> None:
    tile = np.full((14, 200, 1), 7, np.uint8)

    write_letters(tile, ["first", "second", "third"])

    assert (tile[:2] == 7).all()
    assert (tile == 255).any()


def test_segments_are_shown_over_the_numbers_that_there_are() -> None:
    labels = stack(3, segmentation_type="LABELMAP", segments=[{"number": number} for number in (0, 1, 2)])

    picture = draw_montage(labels.copy(data=labels.values // 10))

    assert centers(picture.pixels, 1, 3) == [0, 128, 255]
    assert picture.measured_window is None


def test_fractions_are_shown_from_0_to_1() -> None:
    fractions = stack(2, segmentation_type="FRACTIONAL").assign_coords(rescale_slope=1 / 10)

    assert centers(draw_montage(fractions).pixels, 1, 2) == [0, 255]


def test_a_threshold_of_fractions_gives_way_to_a_measured_window() -> None:
    maps = stack(3).astype(np.float32).assign_coords(window_center=5.0, window_width=1.0)

    assert draw_montage(maps).measured_window == (0.0, 20.0)
    assert draw_montage(maps.assign_attrs(voi_lut_function="LINEAR_EXACT")).measured_window is None
