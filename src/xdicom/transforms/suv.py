"""Standardized uptake values of PET by the rules of QIBA (PS3.3 C.8.9.1, QIBA SUV calculation)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

SUV_UNITS: dict[str, str] = {
    "bw": "g/ml{SUVbw}",
    "lbm": "g/ml{SUVlbm}",
    "lbm_james128": "g/ml{SUVlbm(James128)}",
    "lbm_janma": "g/ml{SUVlbm(Janma)}",
    "bsa": "cm2/ml{SUVbsa}",
    "ibw": "g/ml{SUVibw}",
}
"""Kinds of SUV and their units, as UCUM has them (PS3.16 CID 85)."""

SUV_TYPES: dict[str, str] = {
    "BW": "bw",
    "LBM": "lbm",
    "LBMJAMES128": "lbm_james128",
    "LBMJANMA": "lbm_janma",
    "BSA": "bsa",
    "IBW": "ibw",
}
"""Kind that each value of SUV Type (0054,1006) stands for."""

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Uptake:
    """What is known of the patient and the tracer; None where the header does not say."""

    weight_kg: float | None = None
    """Patient's Weight (0010,1030) [kg]."""
    size_m: float | None = None
    """Patient's Size (0010,1020) [m]."""
    sex: str | None = None
    """Patient's Sex (0010,0040): M, F or O."""
    dose_bq: float | None = None
    """Radionuclide Total Dose (0018,1074) [Bq]."""
    half_life_s: float | None = None
    """Radionuclide Half Life (0018,1075) [s]."""
    injection: datetime | None = None
    """Radiopharmaceutical Start, from (0018,1078), or from the time alone (0018,1072) on the day of the series."""
    series: datetime | None = None
    """Series Date and Time (0008,0021), (0008,0031)."""
    acquisition: datetime | None = None
    """Acquisition Date and Time (0008,0022), (0008,0032) of the earliest frame."""
    frame_reference_s: float | None = None
    """Frame Reference Time (0054,1300) of that frame, from the start of the scan [s]."""
    frame_duration_s: float | None = None
    """Actual Frame Duration (0018,1242) of that frame [s]."""
    decay_correction: str | None = None
    """Decay Correction (0054,1102): NONE, START (of the scan) or ADMIN (administration)."""
    private_scan_start: datetime | None = None
    """What GE states as the start of the scan, (0009,xx0D) of GEMS_PETD_01."""
    corrections: tuple[str, ...] | None = None
    """Corrected Image (0028,0051): ATTN for attenuation, DECY for decay, and others."""


def decay_s(uptake: Uptake) -> float:
    """Time from injection to the moment that the counts are corrected to [s].

    - ADMIN: 0.
    - START: the start of the scan is the series date and time where the first acquisition is not before it; else, in a
      series made later, what GE states, or the earliest acquisition less what its Frame Reference Time says has passed:
      that frame may be of a later bed, where only a part of a series is there.
    - NONE: counts are those of the acquisition itself.

    An injection that seems to come after the scan by less than a day happened on the day before: its date is often
    copied from the series although the time is of the evening before.

    Raises
    ------
    ValueError
        When a date that is needed is missing, or the injection is more than a day after the scan.
    """
    correction = uptake.decay_correction
    if correction == "ADMIN":
        return 0.0
    if correction not in ("START", "NONE"):
        raise ValueError(f"Decay Correction (0054,1102) is {correction!r}: SUV is defined for START, ADMIN and NONE")
    if uptake.injection is None:
        raise ValueError("SUV needs the Radiopharmaceutical Start DateTime (0018,1078), which is missing")
    scan = uptake.acquisition if correction == "NONE" else _scan_start(uptake)
    if scan is None:
        raise ValueError("SUV needs the Series or Acquisition Date and Time (0008,0021), (0008,0022), which are missing")
    elapsed = scan - uptake.injection
    if elapsed < timedelta(0):
        elapsed += DAY
    if elapsed < timedelta(0):
        raise ValueError("the radiopharmaceutical was given more than a day after the scan, by the header's dates")
    return elapsed.total_seconds()


def _scan_start(uptake: Uptake) -> datetime | None:
    series, acquisition = uptake.series, uptake.acquisition
    if series is not None and (acquisition is None or series <= acquisition):
        return series
    if uptake.private_scan_start is not None or acquisition is None:
        return uptake.private_scan_start
    return acquisition - timedelta(seconds=_passed_s(uptake))


def _passed_s(uptake: Uptake) -> float:
    """Time from the start of the scan to that of the earliest frame there is; 0 where the header does not tell [s].

    Frame Reference Time is the moment at which the frame's mean count rate occurred, by decay within its duration.
    """
    reference, duration, half_life = uptake.frame_reference_s, uptake.frame_duration_s, uptake.half_life_s
    if reference is None or not duration or not half_life or not duration > 0 or not half_life > 0:
        return 0.0
    decay = math.log(2) / half_life
    mean_rate_at = math.log(decay * duration / -math.expm1(-decay * duration)) / decay
    return max(0.0, reference - mean_rate_at)


def decayed_dose_bq(uptake: Uptake) -> float:
    """Activity left of the injected dose at the moment that the counts are corrected to [Bq].

    Raises
    ------
    ValueError
        When dose, half-life or a date is missing or not positive.
    """
    dose = _positive(uptake.dose_bq, "Radionuclide Total Dose (0018,1074)")
    elapsed = decay_s(uptake)
    if elapsed == 0:
        return dose
    half_life = _positive(uptake.half_life_s, "Radionuclide Half Life (0018,1075)")
    return float(dose * 2 ** (-elapsed / half_life))


def body_size(uptake: Uptake, kind: str) -> float:
    """What the dose is spread over: a mass in g, or for `bsa` an area in cm2.

    `lbm` is the lean body mass of Morgan and Bright, with 120 for men, which is often taken for that of James,
    `lbm_james128`, with 128; `lbm_janma` is that of Janmahasatian. `bsa` is the body surface of Du Bois and Du Bois,
    `ibw` the ideal body weight that QIBA names.

    Raises
    ------
    ValueError
        For an unknown kind, and when weight, size or sex is missing.
    """
    if kind not in SUV_UNITS:
        raise ValueError(f"there is no SUV of kind {kind!r}: there are {', '.join(SUV_UNITS)}")
    weight = _positive(uptake.weight_kg, "Patient's Weight (0010,1030)") if kind != "ibw" else 0.0
    if kind == "bw":
        return weight * 1000
    height_cm = _positive(uptake.size_m, "Patient's Size (0010,1020)") * 100
    if kind == "bsa":
        return float(weight**0.425 * height_cm**0.725 * 0.007184 * 1e4)
    if uptake.sex not in ("M", "F"):
        raise ValueError(f"SUV of kind {kind!r} needs Patient's Sex (0010,0040) to be M or F, not {uptake.sex!r}; kinds bw and bsa do not")
    is_male = uptake.sex == "M"
    if kind == "ibw":
        mass = 48.0 + 1.06 * (height_cm - 152) if is_male else 45.5 + 0.91 * (height_cm - 152)
    elif kind == "lbm_janma":
        body_mass_index = weight / (height_cm / 100) ** 2
        mass = 9270 * weight / ((6680 + 216 * body_mass_index) if is_male else (8780 + 244 * body_mass_index))
    else:
        men = 128 if kind == "lbm_james128" else 120
        mass = 1.10 * weight - men * (weight / height_cm) ** 2 if is_male else 1.07 * weight - 148 * (weight / height_cm) ** 2
    return mass * 1000


def check_corrections(uptake: Uptake) -> None:
    """Refuse counts that are not corrected for attenuation, and for decay where Decay Correction says that they are.

    Raises
    ------
    ValueError
        With the correction that is missing.
    """
    if uptake.corrections is None:
        raise ValueError(
            "SUV needs Corrected Image (0028,0051) to name ATTN and DECY; it is missing. Where you know that the values are corrected for "
            'attenuation and decay, say so: array.assign_attrs(corrected_image=["ATTN", "DECY"])'
        )
    needed = ("ATTN",) if uptake.decay_correction == "NONE" else ("ATTN", "DECY")
    missing = [name for name in needed if name not in uptake.corrections]
    if missing:
        listed = ", ".join(uptake.corrections) or "nothing"
        raise ValueError(f"SUV needs values corrected for {' and '.join(missing)}; Corrected Image (0028,0051) names {listed}")


def suv_factor(
    uptake: Uptake, kind: str, units: str, *, suv_type: str = "BW", suv_scale: float | None = None, activity_scale: float | None = None
) -> float:
    """What modality values are to be multiplied with to become SUV.

    Parameters
    ----------
    uptake
        Patient and tracer.
    kind
        A key of `SUV_UNITS`.
    units
        Units (0054,1001) of the modality values: BQML, GML or CM2ML (SUV already), or CNTS with Philips factors.
    suv_type
        SUV Type (0054,1006) of values in GML or CM2ML.
    suv_scale, activity_scale
        Philips factors (7053,1000), from counts to SUVbw, and (7053,1009), from counts to Bq/ml.

    Raises
    ------
    ValueError
        With the name of what is missing or does not fit.
    """
    if units not in ("GML", "CM2ML") or uptake.corrections is not None:
        check_corrections(uptake)
    size = body_size(uptake, kind)
    if units == "BQML":
        return size / decayed_dose_bq(uptake)
    if units in ("GML", "CM2ML"):
        stored_kind = "bsa" if units == "CM2ML" else SUV_TYPES.get(suv_type or "BW")
        if stored_kind is None:
            raise ValueError(f"SUV Type (0054,1006) is {suv_type!r}, which is none of {', '.join(SUV_TYPES)}")
        return 1.0 if stored_kind == kind else size / body_size(uptake, stored_kind)
    if units == "CNTS" and suv_scale:
        return suv_scale if kind == "bw" else suv_scale * size / body_size(uptake, "bw")
    if units == "CNTS" and activity_scale:
        return activity_scale * size / decayed_dose_bq(uptake)
    hint = "; counts need the Philips factor (7053,1000) or (7053,1009)" if units == "CNTS" else ""
    raise ValueError(f"SUV can't be worked out from values in Units (0054,1001) {units!r}: BQML, GML, CM2ML and CNTS can{hint}")


def _positive(number: float | None, name: str) -> float:
    if number is None or not number > 0:
        raise ValueError(f"SUV needs {name}, which is {'missing' if number is None else f'{number:g}'}")
    return float(number)
