"""Many requests at a time, in threads that last no longer than they are needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

IN_FLIGHT = 64
"""Requests that are made at once of remote storage."""


def at_once(function: Callable[[A], B], arguments: Iterable[A]) -> Iterator[B]:
    """Results of `function`, in order, with up to `IN_FLIGHT` calls running and no more waiting than four times that."""
    if isinstance(arguments, Sequence) and len(arguments) <= 1:
        yield from map(function, arguments)
        return
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="xdicom-read") as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for argument in arguments:
                # Options that came with a task hold in its thread; a copy of the context takes them along.
                waiting.append(pool.submit(copy_context().run, function, argument))
                if len(waiting) >= 4 * IN_FLIGHT:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
