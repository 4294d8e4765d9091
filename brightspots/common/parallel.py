"""Work cut into spans and spread over the cores, with results in the order of the spans.

The spans depend on the data alone and results are combined in order, so results do not depend on the number of cores.
NumPy and compiled kernels release the interpreter's lock, so threads are enough.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

# Items per core that are submitted ahead of the one whose result is taken next.
_AHEAD = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spans(length: int, at_once: int) -> list[slice]:
    """Cut ``range(length)`` into consecutive slices of at most `at_once`."""
    return [slice(start, min(start + at_once, length)) for start in range(0, length, at_once)]


def map_in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Apply `work` to every item on all cores, in order.

    Items are read from `items` only a few ahead of the result that is taken next, so neither all items nor all results
    are in memory at once.
    """
    workers = available_cores()
    if workers < 2 or (isinstance(items, Sized) and len(items) < 2):
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
