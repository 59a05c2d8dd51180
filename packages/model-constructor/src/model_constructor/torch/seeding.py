"""Random streams for construction: each part gets its own, the caller's is left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stable_seed(*parts: object) -> int:
    """A 63-bit seed from the text of ``parts``, the same in every process.

    >>> stable_seed(0, "model", "layer_0") == stable_seed(0, "model", "layer_0")
    True
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def seed_generators(seed: int) -> None:
    """Seed torch's CPU generator, and those of CUDA if this process uses it already.

    `torch.manual_seed` is no choice here: before CUDA is in use it leaves its seed behind for
    CUDA's start, which would reach the caller.
    """
    torch.default_generator.manual_seed(seed)
    if _cuda_in_use():
        torch.cuda.manual_seed_all(seed)


@contextmanager
def own_random_stream(*parts: object) -> Iterator[None]:
    """A context with torch's generators seeded from ``parts``, and put back afterwards."""
    devices = range(torch.cuda.device_count()) if _cuda_in_use() else ()
    with torch.random.fork_rng(devices=devices):
        seed_generators(stable_seed(*parts))
        yield


def _cuda_in_use() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
