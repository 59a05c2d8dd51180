"""Pillow, which is an extra: asking for it, and from the bytes of a file to an image."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.protocols import BadImageError

if TYPE_CHECKING:
    from PIL.Image import Image

INSTALL = "pip install 'offline-trainer-core[images]'"
MODES = ("RGB", "L")
SUFFIXES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_CHANNELS = {"RGB": 3, "L": 1}


def require_pillow() -> None:
    """Look for Pillow without importing it, and let what it warns of in vast images be an error.

    Raises:
        ParameterError: It is not installed.
    """
    if find_spec("PIL") is None:
        raise ParameterError(
            "to read images, Pillow is needed, which is not installed", help=INSTALL
        )
    # Its own error comes at twice the size only.
    warnings.filterwarnings("error", message=".*decompression bomb")


def checked_mode(mode: object) -> str:
    """The parameter ``mode``.

    Raises:
        ParameterError: It is none of `MODES`.
    """
    if mode not in MODES:
        raise ParameterError(
            f"mode must be {' or '.join(MODES)}, got {mode!r}",
            parameter="mode",
            suggestions=close_matches(str(mode), MODES),
        )
    return str(mode)


def channels(mode: str) -> int:
    """How many numbers a pixel has."""
    return _CHANNELS[mode]


def decoded(content: bytes, mode: str) -> Image:
    """The image in a PNG or JPEG file, read whole and brought to a mode.

    It is turned as its EXIF orientation says. Of 16 bits the upper 8 are taken; transparency is
    left out.

    Raises:
        BadImageError: It is no such file, a damaged one, or has more pixels than Pillow takes for
            safe.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        image: Image.Image = Image.open(BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise BadImageError(
            "is no PNG or JPEG" if content else "is empty", help="take it out, or replace it"
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadImageError(
            f"has more than {Image.MAX_IMAGE_PIXELS} pixels", help="make it smaller before"
        ) from error
    except Exception as error:
        raise _damaged(error) from error
    try:
        image.load()
        if "exif" in image.info:
            image = ImageOps.exif_transpose(image)
        return to_mode(image, mode)
    except Exception as error:
        raise _damaged(error) from error


def verify(content: bytes) -> None:
    """Look at the checksums of a PNG file, which decoding it passes over; a JPEG file has none.

    Raises:
        BadImageError: One is wrong, or the file has no end.
    """
    from PIL import Image

    try:
        Image.open(BytesIO(content), formats=_FORMATS).verify()
    except Exception as error:
        raise _damaged(error) from error


def to_mode(image: Image, mode: str) -> Image:
    """An image of any mode of PNG and JPEG as one of `MODES`."""
    from PIL import Image

    if image.mode == mode:
        return image
    if image.mode.startswith("I"):  # 16 bits, which a conversion by Pillow would clip
        high_bytes = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        image = Image.fromarray(high_bytes)
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == mode else image.convert(mode)


def _damaged(error: Exception) -> BadImageError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return BadImageError(f"is damaged: {reason}", help="replace it, or take it out")
