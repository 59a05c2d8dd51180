"""Arrays in idx files, the format of MNIST and of what was made in its likeness.

A file has two bytes 0, one for the type (8: uint8) and one for the number of dimensions, then each
size in four bytes, the highest first, and then the values (LeCun, Cortes and Burges, "The MNIST
database of handwritten digits").
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.files import check_exists, unreadable

_UINT8 = 8


def read_idx(path: Path) -> Array:
    """The uint8 array of an idx file, unpacked if its name ends in ``.gz``.

    Raises:
        ParameterError: It is missing, damaged, or of another type.
    """
    check_exists(path)
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ParameterError(f"{path} is damaged: {error}", parameter="path") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) < 4 or content[:3] != bytes([0, 0, _UINT8]):
        raise ParameterError(
            f"{path} is no idx file of uint8: it begins with {content[:4].hex(' ')}",
            parameter="path",
        )
    first = 4 + 4 * content[3]
    if len(content) < first:
        raise ParameterError(f"{path} is damaged: it ends within its sizes", parameter="path")
    shape = tuple(np.frombuffer(content[4:first], ">u4").tolist())
    values = np.frombuffer(content, np.uint8, offset=first)
    if len(values) != math.prod(shape):
        raise ParameterError(
            f"{path} is damaged: it has {len(values)} values for the shape {shape}",
            parameter="path",
        )
    try:
        return values.reshape(shape)
    except ValueError as error:  # more dimensions, or larger ones, than an array can have
        raise ParameterError(f"{path} is damaged: {error}", parameter="path") from error
