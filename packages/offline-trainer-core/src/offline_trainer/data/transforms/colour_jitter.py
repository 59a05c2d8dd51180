"""`transform.colour_jitter`: how bright, full of contrast and colourful images are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offline_trainer.data.transforms.image_sizes import checked_share

if TYPE_CHECKING:
    from PIL.Image import Image


class ColourJitter:
    """Brightness, contrast and saturation times a random factor each, in training alone.

    A factor lies between 1 minus and 1 plus the parameter. They are applied in this order.

    Args:
        brightness: 0 leaves it as it is.
        contrast: The same.
        saturation: The same; of grey images it changes nothing.

    >>> from PIL import Image
    >>> image = Image.new("L", (2, 1))
    >>> ColourJitter(brightness=0.2).apply_image(image, None) is image
    True
    """

    def __init__(
        self, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0
    ) -> None:
        given = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        self._most = {name: checked_share(name, value) for name, value in given.items()}

    def apply_image(self, image: Image, random: Any) -> Image:
        """The image, changed."""
        if random is None:
            return image
        from PIL.ImageEnhance import Brightness, Color, Contrast

        ways = {"brightness": Brightness, "contrast": Contrast, "saturation": Color}
        for name, most in self._most.items():
            if most:
                image = ways[name](image).enhance(random.uniform(1 - most, 1 + most))
        return image
