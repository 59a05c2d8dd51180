"""`transform.crop`: a part of an image of one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from offline_trainer.data.module import check_at_least
from offline_trainer.data.transforms.image_sizes import checked_size
from offline_trainer.protocols import BadImageError

if TYPE_CHECKING:
    from PIL.Image import Image


class Crop:
    """A part at a random place in training, the middle otherwise.

    Args:
        size: Of the part: one number for both sides, or ``[height, width]``.
        padding: Black pixels around the image before a random part is taken.

    >>> from PIL import Image
    >>> Crop(8).apply_image(Image.new("L", (16, 10)), None).size
    (8, 8)
    """

    def __init__(self, size: int | Sequence[int], padding: int = 0) -> None:
        self._size = checked_size(size)
        check_at_least(0, padding=padding)
        self._padding = padding

    def apply_image(self, image: Image, random: Any) -> Image:
        """The part of the image.

        Raises:
            BadImageError: The image is smaller.
        """
        height, width = self._size
        free_x, free_y = image.width - width, image.height - height
        if free_x < 0 or free_y < 0:
            raise BadImageError(
                f"is {image.width} x {image.height} pixels, smaller than the crop of "
                f"{width} x {height}",
                help="put transform.resize before transform.crop",
            )
        if random is None:
            left, top = free_x // 2, free_y // 2
        else:
            # Beyond its edges, Pillow's crop is black.
            left = int(random.integers(-self._padding, free_x + self._padding, endpoint=True))
            top = int(random.integers(-self._padding, free_y + self._padding, endpoint=True))
        return image.crop((left, top, left + width, top + height))
