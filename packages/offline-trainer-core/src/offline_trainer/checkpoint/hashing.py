"""sha256 of a stream of pieces, taken beside reading or writing it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

PIECE_BYTES = 8 << 20
"""How much is read or written in one go: while one piece is hashed, the next one moves."""


class StreamHash:
    """A sha256 whose large pieces are hashed on a thread of its own.

    Args:
        beside: Whether to use that thread. A save in the background does not: it would take the
            second core from the training.

    >>> StreamHash().update(b"abc").hexdigest()[:8]
    'ba7816bf'
    """

    def __init__(self, *, beside: bool = True) -> None:
        self._digest = hashlib.sha256()
        self._beside = beside
        self._thread: ThreadPoolExecutor | None = None

    def update(self, piece: bytes | memoryview) -> StreamHash:
        """Take in a piece, which must not change until `hexdigest`."""
        if self._thread is None and self._beside and memoryview(piece).nbytes >= PIECE_BYTES:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sha256")
        if self._thread is None:
            self._digest.update(piece)
        else:
            self._thread.submit(self._digest.update, piece)
        return self

    def hexdigest(self) -> str:
        """The hash of all pieces; waits for them. Nothing can be added afterwards."""
        self.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


def pieces(data: bytes | memoryview) -> Iterator[memoryview]:
    """``data`` in pieces of at most `PIECE_BYTES`."""
    view = memoryview(data)
    for start in range(0, view.nbytes, PIECE_BYTES):
        yield view[start : start + PIECE_BYTES]
