"""What VOI output becomes on its way to a display: polarity, Presentation LUT and output type (PS3.3 C.11.4, C.11.6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdicom.transforms.lookup import LookupTable

OUTPUT_LIMITS: dict[str, tuple[float, float]] = {"uint8": (0, 255), "uint16": (0, 65535), "float32": (0.0, 1.0)}
"""Display value of black and of white for each type of display values."""


def is_inverted(photometric_interpretation: str, presentation_lut_shape: str | None = None) -> bool:
    """Whether the lowest value is shown white.

    MONOCHROME1 says so by definition (PS3.3 C.7.6.3.1.2), the Presentation LUT Shape INVERSE says so too (C.11.6.1.2).
    Where both stand, as the digital X-ray modules demand (C.8.11.3), they mean one and the same inversion.

    Examples
    --------
    >>> is_inverted("MONOCHROME1"), is_inverted("MONOCHROME1", "INVERSE"), is_inverted("MONOCHROME2", "IDENTITY")
    (True, True, False)
    """
    return photometric_interpretation == "MONOCHROME1" or presentation_lut_shape == "INVERSE"


@dataclass(frozen=True, slots=True)
class Output:
    """Display values to be made: their type and what black and white are."""

    dtype: str = "uint8"
    """uint8 (0 to 255), uint16 (0 to 65535) or float32 (0 to 1)."""
    is_inverted: bool = False
    """Whether the lowest value is shown white; a Presentation LUT takes its place."""
    presentation: LookupTable | None = None
    """Presentation LUT (2050,0010), from VOI output to P-Values."""

    def __post_init__(self) -> None:
        if self.dtype not in OUTPUT_LIMITS:
            raise ValueError(f"display values can't be of dtype {self.dtype}: ask for {', '.join(OUTPUT_LIMITS)}")

    @property
    def limits(self) -> tuple[float, float]:
        """What the lowest and the highest VOI output become: `(ymin, ymax)` of the window formulas."""
        black, white = OUTPUT_LIMITS[self.dtype]
        return (white, black) if self.is_inverted else (black, white)

    @property
    def levels(self) -> int:
        """Number of display values; 0 for floating-point ones."""
        return int(OUTPUT_LIMITS[self.dtype][1]) + 1 if self.dtype != "float32" else 0

    def entries(self, voi_output: np.ndarray, full_scale: int) -> np.ndarray:
        """Display values for VOI output of 0 to `full_scale`.

        Parameters
        ----------
        voi_output
            Whole numbers of any shape.
        full_scale
            The highest VOI output possible, whether or not it occurs: display values never depend on what does.

        Returns
        -------
        numpy.ndarray
            Shape of `voi_output`, of `dtype`; rounded to the nearest level, halves upwards.

        Examples
        --------
        >>> Output("uint8").entries(np.array([0, 2048, 4095]), 4095)
        array([  0, 128, 255], dtype=uint8)
        >>> Output("float32", is_inverted=True).entries(np.array([0, 1, 4]), 4)
        array([1.  , 0.75, 0.  ], dtype=float32)
        """
        values = np.clip(np.asarray(voi_output).astype(np.int64), 0, full_scale)
        if self.presentation is not None:
            table = self.presentation
            positions = _scaled(values, full_scale, len(table) - 1)  # the input is implicitly scaled (PS3.3 C.11.6.1.1)
            values, full_scale = table.data[positions].astype(np.int64), table.full_scale
        elif self.is_inverted:
            values = full_scale - values
        if self.dtype == "float32":
            return np.asarray(values / full_scale).astype(np.float32)
        return _scaled(values, full_scale, int(OUTPUT_LIMITS[self.dtype][1])).astype(self.dtype)


def _scaled(values: np.ndarray, full_scale: int, new_full_scale: int) -> np.ndarray:
    """`values * new_full_scale / full_scale` to the nearest integer, halves upwards."""
    return np.asarray((2 * values * new_full_scale + full_scale) // (2 * full_scale))
