"""The transforms of images one after the other: first those of images, then those of pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_constructor.errors import ParameterError
from model_constructor.foreign import error_text
from offline_trainer.data.batches import Array
from offline_trainer.engine import Json
from offline_trainer.protocols import BadImageError

if TYPE_CHECKING:
    from numpy.random import Generator
    from PIL.Image import Image

_IMAGE = "apply_image"
_PIXELS = ("fit_pixels", "apply_pixels")


class UnusableImageError(ParameterError):
    """One image cannot be used; it is not the transform that is to blame which learns from it."""


class ImageSteps:
    """Transforms in their order.

    Args:
        transforms: The parameter ``transforms``: components of kind ``transform``.

    Attributes:
        states: What each transform of pixels has learned.

    Raises:
        ParameterError: One is no transform of images, or works on images after their pixels were
            transformed.
    """

    def __init__(self, transforms: object) -> None:
        if not isinstance(transforms, (list, tuple)):
            raise ParameterError(
                f"transforms must be a list, got {transforms!r}",
                parameter="transforms",
                help="transforms: [{_type_: transform.resize, size: 64}]",
            )
        self._of_images: list[Any] = []
        self._of_pixels: list[tuple[int, Any]] = []
        self.states: list[Json] = []
        self._loaded = False
        for position, each in enumerate(transforms):
            self._add(position, each)

    def _add(self, position: int, transform: Any) -> None:
        where = ("transforms", position)
        name = type(transform).__name__
        if callable(getattr(transform, _IMAGE, None)):
            if self._of_pixels:
                raise ParameterError(
                    f"{name} transforms an image, whose pixels have been transformed before",
                    parameter=where,
                    help=f"put it before {type(self._of_pixels[-1][1]).__name__}",
                )
            self._of_images.append(transform)
        elif all(callable(getattr(transform, method, None)) for method in _PIXELS):
            self._of_pixels.append((position, transform))
        else:
            raise ParameterError(
                f"{name} is no transform of images: it has neither {_IMAGE}() nor "
                f"{'() and '.join(_PIXELS)}()",
                parameter=where,
                help="those for images are listed in docs/data.md",
            )

    def image(self, image: Image, random: Generator | None) -> Array:
        """The pixels of an image after the transforms of images, uint8 (H, W) or (H, W, 3).

        Raises:
            BadImageError: A transform cannot be applied to it.
        """
        mode = image.mode
        for transform in self._of_images:
            image = transform.apply_image(image, random)
        if image.mode != mode:
            raise BadImageError(f"came out of the transforms with mode {image.mode}, not {mode}")
        return np.asarray(image)

    def pixels(self, images: Sequence[Array], shape: tuple[int, int, int]) -> Array:
        """A batch of what `image` gave, after all transforms: float32 (B, C, H, W).

        Args:
            images: Equally large.
            shape: (C, H, W) of each.
        """
        return self._applied(as_pixels(images, shape), len(self._of_pixels))

    def fit(self, training: Callable[[], Iterator[Array]]) -> None:
        """Let the transforms of pixels learn, one after the other.

        Args:
            training: Makes all training images, some at a time, as `as_pixels` gives them.

        Raises:
            ParameterError: They cannot be used.
        """
        self.states = []
        for count, (position, transform) in enumerate(self._of_pixels):
            before = (self._applied(pixels, count) for pixels in training())
            try:
                self.states.append(transform.fit_pixels(before))
            except UnusableImageError:
                raise
            except ParameterError as error:
                raise error.within("transforms", position) from error
            finally:
                before.close()

    def load(self, states: Json) -> None:
        """Use what earlier transforms learned.

        Raises:
            ValueError: It is not that of these transforms.
        """
        if not isinstance(states, list) or len(states) != len(self._of_pixels):
            raise ValueError(f"expected the states of {len(self._of_pixels)} transforms of pixels")
        self.states = states
        self._loaded = True

    def _applied(self, pixels: Array, count: int) -> Array:
        for (_, transform), state in zip(self._of_pixels[:count], self.states, strict=False):
            try:
                pixels = transform.apply_pixels(pixels, state)
            except Exception as error:
                if not self._loaded:
                    raise
                raise ParameterError(
                    f"what the run stores is nothing that {type(transform).__name__} has "
                    f"learned: {error_text(error)}",
                    parameter="transforms",
                ) from error
        return pixels


def as_pixels(images: Sequence[Array], shape: tuple[int, int, int]) -> Array:
    """Images as numbers from 0 to 1, float32 (B, C, H, W).

    Args:
        images: uint8 (H, W) or (H, W, C) each.
        shape: (C, H, W) of each.

    >>> as_pixels([np.array([[0, 255]], np.uint8)], (1, 1, 2)).tolist()
    [[[[0.0, 1.0]]]]
    """
    channels, height, width = shape
    pixels = np.empty((len(images), *shape), np.float32)
    for place, image in zip(pixels, images, strict=True):
        place[...] = image.reshape(height, width, channels).transpose(2, 0, 1)
    pixels /= 255
    return pixels
