"""Images that are in more than one part, by the hashes of their files."""

from __future__ import annotations

from offline_trainer.data.images.stored import StoredImages
from offline_trainer.data.module import Parts
from offline_trainer.data.split import PARTS
from offline_trainer.notices import notice


def say_shared(images: StoredImages, parts: Parts) -> None:
    """Say how many images of a part have the same file, or its copy, in an earlier one.

    Args:
        images: All of them, each checked.
        parts: How they are divided.
    """
    hashes = images.hashes()
    first_of: dict[str, tuple[str, int]] = {}
    shared: list[tuple[str, int]] = []
    for part in PARTS:
        for row in getattr(parts, part).tolist():
            if row in hashes and first_of.setdefault(hashes[row], (part, row))[0] != part:
                shared.append((part, row))
    if shared:
        part, row = shared[0]
        other, same = first_of[hashes[row]]
        count = "1 image is" if len(shared) == 1 else f"{len(shared)} images are"
        notice(
            f"{count} in more than one part; the first: {images.named(row)} of {part} is the "
            f"same as {images.named(same)} of {other}"
        )
