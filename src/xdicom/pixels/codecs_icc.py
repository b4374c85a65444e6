"""Colors by an ICC profile to sRGB (PS3.3 C.11.15), through Little CMS as imagecodecs holds it."""

from __future__ import annotations

from functools import lru_cache

import imagecodecs
import numpy as np

from xdicom.errors import MissingDependencyError, PixelDataError, UnsupportedEncodingError

_HEADER_LENGTH = 128
_SIGNATURE = slice(36, 40)
_COLOR_SPACE = slice(16, 20)
_INTENT = slice(64, 68)


def check_profile(profile: bytes) -> None:
    """Refuse a profile that is none, or not one of red, green and blue (ISO 15076-1, 7.2).

    Raises
    ------
    PixelDataError
        If the bytes are no profile.
    UnsupportedEncodingError
        If it is one of another color space.
    """
    if len(profile) <= _HEADER_LENGTH or profile[_SIGNATURE] != b"acsp":
        raise PixelDataError(f"the ICC Profile (0028,2000) of {len(profile)} bytes is none: it lacks the signature of one")
    space = profile[_COLOR_SPACE].decode("latin_1").strip()
    if space != "RGB":
        raise UnsupportedEncodingError(f"the ICC Profile (0028,2000) is one of the color space {space!r}; colors are red, green and blue")


def to_srgb(samples: np.ndarray, profile: bytes) -> np.ndarray:
    """Colors that `profile` describes as those of sRGB, by the rendering intent that the profile names.

    Parameters
    ----------
    samples
        uint8 or uint16 over their full range, shape `(..., 3)`, or `(..., 4)` with opacity, which is kept.
    profile
        The ICC profile, as the header holds it.

    Returns
    -------
    numpy.ndarray
        Shape and type of `samples`; colors beyond sRGB are clipped.

    Raises
    ------
    PixelDataError
        If the profile is damaged.
    MissingDependencyError
        If this build of imagecodecs has no color management.
    """
    if not samples.size:
        return samples.copy()
    color = np.ascontiguousarray(samples[..., :3])
    intent = int.from_bytes(profile[_INTENT], "big") & 3
    try:
        # One row for each row of the image: what is transformed does not depend on its shape.
        rows = color.reshape(-1, color.shape[-2] if color.ndim > 1 else 1, 3)
        done = imagecodecs.cms_transform(rows, profile, _srgb(), colorspace="rgb", outcolorspace="rgb", intent=intent)
    except ImportError as error:
        raise MissingDependencyError("this build of imagecodecs has no color management: pip install --upgrade imagecodecs") from error
    except Exception as error:
        raise PixelDataError(f"the ICC Profile (0028,2000) can't be used: {error}") from error
    out = np.asarray(done).reshape(color.shape)
    return out if samples.shape[-1] == 3 else np.concatenate([out, samples[..., 3:]], axis=-1)


@lru_cache(maxsize=1)
def _srgb() -> bytes:
    profile: bytes = imagecodecs.cms_profile("srgb")
    return profile
