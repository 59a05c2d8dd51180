"""`transform.flip`: images mirrored left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offline_trainer.data.transforms.image_sizes import checked_share

if TYPE_CHECKING:
    from PIL.Image import Image


class Flip:
    """Left and right exchanged at random in training; otherwise the image as it is.

    Args:
        probability: How often.

    >>> from PIL import Image
    >>> image = Image.new("L", (2, 1))
    >>> Flip().apply_image(image, None) is image
    True
    """

    def __init__(self, probability: float = 0.5) -> None:
        self._probability = checked_share("probability", probability)

    def apply_image(self, image: Image, random: Any) -> Image:
        """The image or its mirror image."""
        if random is None or random.random() >= self._probability:
            return image
        from PIL.Image import Transpose

        return image.transpose(Transpose.FLIP_LEFT_RIGHT)
