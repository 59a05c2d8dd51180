"""Making things in threads, ahead of who takes them, in the order in which they are wanted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 2  # items for each thread that are made or wait to be taken

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def in_order(
    make: Callable[[_Item], _Made], items: Iterable[_Item], workers: int
) -> Iterator[_Made]:
    """What threads make of items, in the order of the items, never more than some ahead.

    >>> list(in_order(str, range(4), workers=2))
    ['0', '1', '2', '3']
    """
    if not workers:
        yield from map(make, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="data")
    try:
        waiting: deque[Future[_Made]] = deque()
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
