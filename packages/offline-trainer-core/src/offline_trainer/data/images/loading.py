"""Making batches in threads, ahead of the loop, in the order in which they are wanted.

Pillow lets other threads run while it decodes and resizes, so that they need not be processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from typing import TypeVar

from numpy.random import Generator, Philox

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
    pool = ThreadPoolExecutor(workers, thread_name_prefix="images")
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


def image_random(seed: int, epoch: int, row: int) -> Generator:
    """The random stream of one image in one epoch.

    Its key is a hash of the arguments (BLAKE2b), so that it costs the same for any of them and has
    nothing in common with another's. Changing it would break the resume of every run that augments,
    and a test holds its values.

    >>> image_random(0, epoch=2, row=7).random() == image_random(0, epoch=2, row=7).random()
    True
    """
    digest = blake2b(f"images/{seed}/{epoch}/{row}".encode(), digest_size=16).digest()
    return Generator(Philox(key=int.from_bytes(digest, "little")))
