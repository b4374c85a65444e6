"""Recommended colors of segments: CIELab as DICOM encodes it to sRGB (PS3.3 C.10.7.1.1)."""

from __future__ import annotations

import numpy as np

_WHITE_D50 = np.array([0.96422, 1.0, 0.82521])
_XYZ_D50_TO_LINEAR_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)
"""XYZ relative to D50, the white of the profile connection space, to linear sRGB (Bradford adaptation to D65)."""


def cielab_to_srgb(encoded: np.ndarray) -> np.ndarray:
    """Colors as red, green and blue of sRGB, out-of-gamut colors clipped; uint8, shape `(..., 3)`.

    Parameters
    ----------
    encoded
        Recommended Display CIELab Values: L* 0 to 100 and a*, b* -128 to 127, each over 0 to 65535; shape `(..., 3)`.

    Examples
    --------
    >>> cielab_to_srgb(np.array([65535, 32896, 32896])).tolist()
    [255, 255, 255]
    """
    scaled = np.asarray(encoded, np.float64) / 65535
    lightness, a, b = scaled[..., 0] * 100, scaled[..., 1] * 255 - 128, scaled[..., 2] * 255 - 128
    middle = (lightness + 16) / 116
    bent = np.stack([middle + a / 500, middle, middle - b / 200], axis=-1)
    edge = 6 / 29
    xyz = _WHITE_D50 * np.where(bent > edge, bent**3, 3 * edge**2 * (bent - 4 / 29))
    linear = np.clip(xyz @ _XYZ_D50_TO_LINEAR_SRGB.T, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(srgb * 255), np.uint8)
