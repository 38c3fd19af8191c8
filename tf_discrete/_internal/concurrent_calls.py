"""Calls of one function on several arguments, a few at once."""

from __future__ import annotations

import collections
import contextvars
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import TypeVar

import tensorflow as tf

_A = TypeVar("_A")
_R = TypeVar("_R")

MOST = 4
"""Most calls at once: each holds its arrays in the cache of the processor."""


def in_order(fn: Callable[[_A], _R], arguments: Iterable[_A]) -> Iterator[_R]:
    """Yields fn(a) for each argument, in their order; later calls run while earlier ones are read.

    TensorFlow divides a large operation among the cores, but not the compiled parts and the small operations
    of an evaluation. Calls at once fill the cores with those of several evaluations. On an accelerator, and
    on one core, there is one call at a time.

    Args:
        fn: A function that may run in several threads at once. It sees the context variables of the caller.
        arguments: Read as they are needed, a few in advance.

    Raises:
        Exception: What `fn` or `arguments` raises. Calls that have not begun are dropped.

    Example:
        >>> list(in_order(lambda x: 2 * x, [1, 2, 3]))
        [2, 4, 6]
    """
    workers = number()
    if workers == 1:
        yield from map(fn, arguments)
        return
    pool = futures.ThreadPoolExecutor(workers)
    waiting: collections.deque[futures.Future[_R]] = collections.deque()
    try:
        for argument in arguments:
            waiting.append(pool.submit(contextvars.copy_context().run, fn, argument))
            if len(waiting) == 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def number() -> int:
    """Returns how many calls run at once: as many as there are cores, up to `MOST`."""
    if tf.config.list_logical_devices("GPU"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(MOST, cores or 1)
