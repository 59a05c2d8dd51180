"""`transform.resize`: images to a size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from offline_trainer.data.transforms.image_sizes import checked_size

if TYPE_CHECKING:
    from PIL.Image import Image


class Resize:
    """The whole image at another size, filtered by Pillow so that fine patterns do not alias.

    Args:
        size: ``[height, width]``, whatever the proportions of the image; or the length of its
            shorter side, which keeps them, so that a crop makes all images of one size.
        filter: How pixels are made of others.

    >>> from PIL import Image
    >>> Resize(8).apply_image(Image.new("L", (32, 16)), None).size
    (16, 8)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        filter: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear",
    ) -> None:
        self._size = checked_size(size)
        self._keeps_proportions = isinstance(size, int)
        self._filter = filter

    def apply_image(self, image: Image, random: Any) -> Image:
        """The image, resized; itself if it has that size."""
        from PIL.Image import Resampling

        height, width = self._size
        if self._keeps_proportions:
            shorter = min(image.size)
            width, height = (max(1, round(side * width / shorter)) for side in image.size)
        if image.size == (width, height):
            return image
        return image.resize((width, height), Resampling[self._filter.upper()])
