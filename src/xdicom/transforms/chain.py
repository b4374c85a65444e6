"""Transforms one after the other, with nothing between them that is larger than a piece.

A chain is cut into pieces that stay in the processor's cache: the memory that it takes is that of its input and its
output. Where it maps integers of at most 16 bits and no parameter varies, it is worked out once for every value possible,
and each pixel looks its result up. All ways lead to equal bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from xdicom.transforms.display import is_quick, render
from xdicom.transforms.lookup import LookupTable, all_values, is_small_integer, native, take
from xdicom.transforms.modality import rescale
from xdicom.transforms.padding import is_padding
from xdicom.transforms.palette import Palette, apply_palette
from xdicom.transforms.pieces import part, pieces

Parameter = np.ndarray | float
"""A number, or an array that broadcasts against the values, with as many axes."""

FEW = 4096
"""So few 16-bit values are worked out one by one sooner than a table of all."""

QUICK = frozenset({rescale, is_padding, apply_palette})
"""What alone takes less time than to look its results up, or does so itself."""


@dataclass(frozen=True, slots=True)
class Link:
    """One transform of a chain."""

    function: Callable[..., np.ndarray]
    """Takes values and its parameters; gives an array of the same shape, or of one axis more at the end."""
    options: tuple[tuple[str, Any], ...]
    """Keywords that it is called with, hashable."""
    parameters: int
    """Number of its parameters."""
    dtype: np.dtype[np.generic]
    """Type of its result."""
    new_axis: int | None = None
    """Length of the axis that its result has at its end and its input has not."""
    is_pointwise: bool = True
    """Whether each number is mapped by itself; else together with its neighbors along the last axis."""

    def __call__(self, values: np.ndarray, *parameters: Parameter) -> np.ndarray:
        """The result of this transform alone."""
        return self.function(values, *parameters, **dict(self.options))


@dataclass(frozen=True, slots=True)
class Chain:
    """Transforms that follow each other.

    Examples
    --------
    >>> double = Link(np.multiply, (), 1, np.dtype(np.int16))
    >>> add = Link(np.add, (), 1, np.dtype(np.int16))
    >>> Chain((double, add))(np.array([1, 2], np.int16), np.array([2], np.int16), np.array([5], np.int16))
    array([7, 9], dtype=int16)
    """

    links: tuple[Link, ...]
    """From the first to the last."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the result."""
        return self.links[-1].dtype

    @property
    def new_axes(self) -> tuple[int, ...]:
        """Lengths of the axes that the result has at its end and the input has not."""
        return tuple(link.new_axis for link in self.links if link.new_axis is not None)

    def then(self, link: Link) -> Chain:
        """The chain with one more transform at its end.

        Raises
        ------
        ValueError
            When `link` has parameters and the result of this chain more axes than its input.
        """
        if self.new_axes and link.parameters:
            raise ValueError("parameters belong to the axes of the input, and the values before this transform have one more")
        return Chain((*self.links, link))

    def __call__(self, values: np.ndarray, *parameters: Parameter) -> np.ndarray:
        """The result of all transforms.

        Parameters
        ----------
        values
            Numbers of any shape.
        parameters
            Those of the first transform, then those of the next.

        Returns
        -------
        numpy.ndarray
            Shape of `values` and `new_axes`, type `dtype`.
        """
        if not values.shape:
            return self(values.reshape(1), *parameters)[0, ...]
        is_constant = all(isinstance(parameter, float) for parameter in parameters)
        if (
            is_constant
            and is_small_integer(values.dtype)
            and values.size > FEW
            and self._is_better_looked_up
            and not self._is_rendered_quickly(values, parameters)  # type: ignore[arg-type]
        ):
            return self._looked_up(values, parameters)  # type: ignore[arg-type]
        if len(self.links) == 1:
            return self.links[0](values, *parameters)
        out = np.empty((*values.shape, *self.new_axes), self.dtype)
        for index in pieces(values.shape):
            here = [part(parameter, index) if isinstance(parameter, np.ndarray) else parameter for parameter in parameters]
            out[index] = self._worked_out(values[index], here)
        return out

    def _worked_out(self, values: np.ndarray, parameters: list[Parameter]) -> np.ndarray:
        for link in self.links:
            values = link(values, *parameters[: link.parameters])
            parameters = parameters[link.parameters :]
        return values

    @property
    def _is_better_looked_up(self) -> bool:
        if not all(link.is_pointwise for link in self.links):
            return False
        is_quick = len(self.links) == 1 and self.links[0].function in QUICK
        return not is_quick and (not self.new_axes or self._is_palette)

    def _is_rendered_quickly(self, values: np.ndarray, parameters: tuple[float, ...]) -> bool:
        rendering = dict(self.links[0].options).get("rendering") if [link.function for link in self.links] == [render] else None
        return rendering is not None and is_quick(values, parameters, rendering)

    @property
    def _is_palette(self) -> bool:
        return self.new_axes in ((3,), (4,)) and self.dtype == np.uint8

    def _looked_up(self, values: np.ndarray, parameters: tuple[float, ...]) -> np.ndarray:
        dtype = native(values.dtype)
        if self._is_palette:
            return apply_palette(values, _palette(self, dtype, parameters), dtype=self.dtype)
        return take(_table(self, dtype, parameters), values)


@lru_cache(maxsize=32)
def _table(chain: Chain, dtype: np.dtype[np.generic], parameters: tuple[float, ...]) -> np.ndarray:
    """What `chain` makes of every value of `dtype`, made once per process."""
    table = chain._worked_out(all_values(dtype), list(parameters))  # noqa: SLF001 - this is its other half
    table.setflags(write=False)
    return table


@lru_cache(maxsize=8)
def _palette(chain: Chain, dtype: np.dtype[np.generic], parameters: tuple[float, ...]) -> Palette:
    """Colors of 8 bits that `chain` makes of every value of `dtype`, as a palette."""
    lowest = int(np.iinfo(dtype.str).min)
    ascending = np.roll(chain._worked_out(all_values(dtype), list(parameters)), -lowest, axis=0)  # noqa: SLF001 - as above
    red, green, blue, *alpha = (LookupTable(lowest, np.ascontiguousarray(samples), bits=8) for samples in ascending.T)
    return Palette(red, green, blue, alpha[0] if alpha else None)
