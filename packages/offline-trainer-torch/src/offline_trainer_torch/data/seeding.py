"""The random streams that a sample is made from, as a function of seed, epoch and index."""

from __future__ import annotations

import random
from hashlib import blake2b

import numpy as np
import torch


def seed_sample(seed: int, part: str, epoch: int, index: int) -> None:
    """Set the global streams of Python, numpy and torch's CPU for one sample.

    The seeds are a hash of the arguments (BLAKE2b), with bytes of its own for each stream. Changing
    it would break the resume of every run that augments, and a test holds its values.

    Args:
        seed: The data's seed; any integer.
        part: ``train``, ``val`` or ``test``, whose samples have nothing in common.
        epoch: Counts from 0.
        index: Of the sample in the dataset.

    >>> seed_sample(0, "train", epoch=2, index=7)
    >>> first = random.random(), np.random.random(), torch.rand(1).item()
    >>> seed_sample(0, "train", epoch=2, index=7)
    >>> first == (random.random(), np.random.random(), torch.rand(1).item())
    True
    """
    digest = blake2b(f"{seed}/{part}/{epoch}/{index}".encode(), digest_size=20).digest()
    random.seed(int.from_bytes(digest[:8], "little"))
    # 32 bits, as torch uses of its own seed, too; with more, numpy takes five times as long.
    np.random.seed(int.from_bytes(digest[8:12], "little"))
    # torch.manual_seed would look for every kind of accelerator, which takes 100 times as long.
    torch.default_generator.manual_seed(int.from_bytes(digest[12:], "little"))
