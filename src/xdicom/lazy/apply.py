"""A numpy function over an array: at once over numpy arrays, block by block over dask arrays."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np
from dask.tokenize import tokenize

from xdicom.lazy.cells import values_to_dask
from xdicom.transforms.chain import Chain, Link, Parameter


def apply(
    function: Callable[..., np.ndarray],
    array: np.ndarray | da.Array,
    *parameters: Parameter,
    dtype: np.dtype[np.generic],
    new_axis: int | None = None,
    is_pointwise: bool = True,
) -> np.ndarray | da.Array:
    """`function(array, *parameters)`, lazily where `array` is lazy.

    A lazy result has one task per block, which fuses with the task that makes the block. `function` must treat every
    element by itself, so that any chunking leads to one result. A function on what `apply` itself made begins again at
    what that began at: both are one `Chain`, and the values between them are never held but in pieces.

    Parameters
    ----------
    function
        Takes a numpy array and its part of each parameter; gives an array of the same shape, or of one axis more at the
        end. It is sent to workers: a function of a module, or a `functools.partial` of one with small values as keywords,
        which can be keys of a dict.
    array
        Numbers of any shape.
    parameters
        Numbers, or numpy arrays with as many axes as `array`, each of the array's length or of length 1.
    dtype
        Type of the result.
    new_axis
        Length of the axis that the result has at its end and `array` has not.
    is_pointwise
        False where numbers are worked on together with their neighbors along the last axis, which is never cut.

    Raises
    ------
    ValueError
        When a parameter does not fit the shape of `array`.

    Examples
    --------
    >>> numbers = da.arange(6, chunks=2)
    >>> apply(np.multiply, numbers, np.arange(6.0), dtype=np.dtype(float)).compute()
    array([ 0.,  1.,  4.,  9., 16., 25.])
    """
    for parameter in parameters:
        if isinstance(parameter, np.ndarray):
            _check_fits(parameter, array.shape)
    keywords = tuple(sorted(getattr(function, "keywords", {}).items()))
    link = Link(getattr(function, "func", function), keywords, len(parameters), np.dtype(dtype), new_axis, is_pointwise)
    if not isinstance(array, da.Array):
        return Chain((link,))(np.asarray(array), *parameters)
    step = step_behind(array)
    if step is None or (step.chain.new_axes and parameters):
        step = Step(Chain((link,)), array, parameters)
    else:
        step = Step(step.chain.then(link), step.array, (*step.parameters, *parameters))
    return _made_by(step)


def apply_together(
    function: Callable[..., np.ndarray], arrays: Sequence[np.ndarray | da.Array], *, dtype: np.dtype[np.generic], new_axis: int
) -> np.ndarray | da.Array:
    """`function(*arrays)`, lazily where one of them is lazy: one task for the blocks that lie at one place.

    Parameters
    ----------
    function
        Takes numpy arrays of one shape and works on every element by itself; gives one axis more, at the end.
    arrays
        Numbers of one shape.
    dtype
        Type of the result.
    new_axis
        Length of the axis that the result has at its end.
    """
    if not any(isinstance(array, da.Array) for array in arrays):
        return function(*arrays)
    _, lazy = da.core.unify_chunks(*(part for array in arrays for part in (da.asarray(array), tuple(range(array.ndim)))))
    out: da.Array = da.map_blocks(
        function,
        *lazy,
        dtype=dtype,
        meta=np.empty((0,) * (lazy[0].ndim + 1), dtype),
        chunks=(*lazy[0].chunks, (new_axis,)),
        new_axis=[lazy[0].ndim],
    )
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """How `apply` made a lazy array."""

    chain: Chain
    """What was applied."""
    array: da.Array
    """What it was applied to."""
    parameters: tuple[Parameter, ...]
    """And with which parameters."""


_steps: dict[int, tuple[weakref.ref[da.Array], Step]] = {}
"""The step behind each array that is still there, by its `id`."""


def step_behind(array: np.ndarray | da.Array) -> Step | None:
    """How `array` was made, if it is the very array that `apply` gave: the next step may then begin before that one.

    A part of the array, or the array computed or persisted, is another array, with no step behind it.
    """
    made, step = _steps.get(id(array), (None, None))
    return step if made is not None and made() is array else None


def without_last(array: np.ndarray | da.Array) -> tuple[Link, da.Array, tuple[Parameter, ...]] | None:
    """The last function that made `array`, what it was applied to, and its parameters; None where that is not known."""
    step = step_behind(array)
    if step is None:
        return None
    *links, last = step.chain.links
    kept = len(step.parameters) - last.parameters
    before = _made_by(Step(Chain(tuple(links)), step.array, step.parameters[:kept])) if links else step.array
    return last, before, step.parameters[kept:]


def _made_by(step: Step) -> da.Array:
    chain, array = step.chain, step.array
    new = chain.new_axes
    lazy_parameters = [
        values_to_dask(parameter, array.chunks) if isinstance(parameter, np.ndarray) else parameter for parameter in step.parameters
    ]
    last = chain.links[-1].function.__name__
    told = [(link.function, link.options, link.dtype, link.new_axis) for link in chain.links]
    out: da.Array = da.map_blocks(
        chain,
        array,
        *lazy_parameters,
        dtype=chain.dtype,
        meta=np.empty((0,) * (array.ndim + len(new)), chain.dtype),
        name=f"{last}-{tokenize(told, array.name, step.parameters)}",
        chunks=(*array.chunks, *((n,) for n in new)),
        new_axis=list(range(array.ndim, array.ndim + len(new))) if new else None,
    )
    key = id(out)
    _steps[key] = weakref.ref(out, lambda _: _steps.pop(key, None)), step
    return out


def _check_fits(parameter: np.ndarray, shape: tuple[int, ...]) -> None:
    if parameter.ndim != len(shape) or any(n not in (1, whole) for n, whole in zip(parameter.shape, shape, strict=True)):
        raise ValueError(f"a parameter of shape {parameter.shape} does not belong to an array of shape {shape}")
