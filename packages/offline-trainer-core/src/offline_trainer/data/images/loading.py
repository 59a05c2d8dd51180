"""The random stream of each image."""

from __future__ import annotations

from hashlib import blake2b

from numpy.random import Generator, Philox


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
