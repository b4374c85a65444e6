"""Standardized uptake values, with numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from xdicom.transforms.suv import SUV_UNITS, Uptake, body_size, decay_s, decayed_dose_bq, suv_factor


def at(text: str) -> datetime:
    """Date and time as headers have them: of no time zone."""
    return datetime.fromisoformat(text)


FDG = Uptake(
    weight_kg=70.0,
    size_m=1.75,
    sex="M",
    dose_bq=370e6,
    half_life_s=6586.2,
    injection=at("2020-01-01 09:00"),
    series=at("2020-01-01 10:00"),
    acquisition=at("2020-01-01 10:05"),
    decay_correction="START",
    corrections=("ATTN", "DECY"),
)


def test_start_counts_from_injection_to_the_series() -> None:
    assert decay_s(FDG) == 3600
    # 370 MBq, 3600 s of 6586.2 s half-life: 370e6 * 2**-0.546597 = 253.31 MBq
    assert decayed_dose_bq(FDG) == pytest.approx(253.31e6, rel=1e-4)
    assert suv_factor(FDG, "bw", "BQML") == pytest.approx(70_000 / 253.31e6, rel=1e-4)


def test_admin_means_that_nothing_is_left_to_correct() -> None:
    uptake = replace(FDG, decay_correction="ADMIN", injection=None, half_life_s=None)

    assert suv_factor(uptake, "bw", "BQML") == 70_000 / 370e6


def test_none_counts_to_the_acquisition() -> None:
    assert decay_s(replace(FDG, decay_correction="NONE")) == 3900


def test_a_series_made_after_the_acquisition_does_not_tell_the_start() -> None:
    later = replace(FDG, series=at("2020-01-03 08:00"))

    assert decay_s(later) == 3900
    assert decay_s(replace(later, private_scan_start=at("2020-01-01 09:30"))) == 1800


def test_a_dose_before_midnight_belongs_to_the_day_before() -> None:
    uptake = replace(FDG, injection=at("2020-01-01 23:30"), series=at("2020-01-01 00:30"), acquisition=None)

    assert decay_s(uptake) == 3600


def test_a_dose_long_after_the_scan_is_refused() -> None:
    with pytest.raises(ValueError, match="more than a day after the scan"):
        decay_s(replace(FDG, injection=at("2020-01-03 00:00")))


@pytest.mark.parametrize(
    ("kind", "sex", "expected"),
    [
        ("bw", "O", 70_000),
        ("bsa", "O", 18_481),  # 0.007184 * 70**0.425 * 175**0.725 = 1.8481 m2
        ("lbm", "M", 57_800),  # 77 - 120 * 0.16
        ("lbm", "F", 51_220),  # 74.9 - 148 * 0.16
        ("lbm_james128", "M", 56_520),  # 77 - 128 * 0.16
        ("lbm_janma", "M", 55_857),  # 9270 * 70 / (6680 + 216 * 22.857)
        ("lbm_janma", "F", 45_198),  # 9270 * 70 / (8780 + 244 * 22.857)
        ("ibw", "M", 72_380),  # 48 + 1.06 * 23
        ("ibw", "F", 66_430),  # 45.5 + 0.91 * 23
    ],
)
def test_sizes_of_a_body(kind: str, sex: str, expected: float) -> None:
    assert body_size(replace(FDG, sex=sex), kind) == pytest.approx(expected, rel=1e-4)


def test_values_that_are_suv_already_change_kind_only() -> None:
    assert suv_factor(Uptake(weight_kg=70.0), "bw", "GML") == 1
    assert suv_factor(FDG, "lbm", "GML") == pytest.approx(57.8 / 70)
    assert suv_factor(FDG, "bw", "CM2ML") == pytest.approx(70_000 / 18_481, rel=1e-4)
    assert suv_factor(FDG, "bw", "GML", suv_type="LBMJAMES128") == pytest.approx(70 / 56.52)


def test_counts_need_a_private_factor() -> None:
    assert suv_factor(FDG, "bw", "CNTS", suv_scale=0.002) == 0.002
    assert suv_factor(FDG, "bw", "CNTS", activity_scale=2.0) == 2 * suv_factor(FDG, "bw", "BQML")
    with pytest.raises(ValueError, match=r"7053,1000"):
        suv_factor(FDG, "bw", "CNTS")


@pytest.mark.parametrize(
    ("change", "kind", "named"),
    [
        ({"weight_kg": None}, "bw", r"Weight \(0010,1030\), which is missing"),
        ({"weight_kg": 0.0}, "bw", "which is 0"),
        ({"size_m": None}, "bsa", "Size"),
        ({"sex": "O"}, "lbm", "Sex"),
        ({"dose_bq": None}, "bw", "Total Dose"),
        ({"half_life_s": None}, "bw", "Half Life"),
        ({"injection": None}, "bw", "Radiopharmaceutical Start"),
        ({"series": None, "acquisition": None}, "bw", "Series or Acquisition Date"),
        ({"decay_correction": None}, "bw", "Decay Correction"),
        ({}, "fat", "no SUV of kind 'fat'"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, object], kind: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        suv_factor(replace(FDG, **change), kind, "BQML")


def test_other_units_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'PROPCNTS'"):
        suv_factor(FDG, "bw", "PROPCNTS")


def test_every_kind_has_a_unit() -> None:
    assert all(unit.split("{", maxsplit=1)[0] in ("g/ml", "cm2/ml") for unit in SUV_UNITS.values())


@pytest.mark.parametrize(
    ("correction", "corrections", "missing"),
    [
        ("START", ("ATTN",), "DECY"),
        ("ADMIN", ("DECY",), "ATTN"),
        ("START", (), "ATTN and DECY"),
        ("NONE", ("DECY",), "ATTN"),
    ],
)
@pytest.mark.parametrize("units", ["BQML", "GML", "CNTS"])
def test_counts_that_are_not_corrected_are_refused(units: str, correction: str, corrections: tuple[str, ...] | None, missing: str) -> None:
    uptake = replace(FDG, decay_correction=correction, corrections=corrections)

    with pytest.raises(ValueError, match=missing):
        suv_factor(uptake, "bw", units, suv_scale=0.5)


def test_counts_without_decay_correction_need_none() -> None:
    uptake = replace(FDG, decay_correction="NONE", corrections=("ATTN",))

    assert suv_factor(uptake, "bw", "BQML") == pytest.approx(70_000 / (370e6 * 2 ** (-3900 / 6586.2)))


def test_counts_of_which_no_correction_is_stated_are_refused_with_what_to_say() -> None:
    with pytest.raises(ValueError, match=r"\(0028,0051\) to name ATTN and DECY; it is missing.*assign_attrs\(corrected_image="):
        suv_factor(replace(FDG, corrections=None), "bw", "BQML")


def test_a_later_bed_alone_tells_the_start_of_the_scan_by_its_frame_reference_time() -> None:
    # 180 s of a half-life of 6586.2 s: the mean rate occurs 90 - ln 2 / 6586.2 * 180**2 / 24 = 89.858 s after the frame began, which
    # was 540 s after the scan did
    bed = replace(FDG, series=at("2020-01-03 08:00"), acquisition=at("2020-01-01 10:09"))
    later = replace(bed, frame_duration_s=180.0, frame_reference_s=629.858)

    assert decay_s(later) == pytest.approx(3600, abs=0.001)
    assert decay_s(replace(later, frame_duration_s=None)) == 4140
    assert decay_s(replace(later, frame_reference_s=0.0)) == 4140
    assert decay_s(replace(later, private_scan_start=at("2020-01-01 09:30"))) == 1800
