"""pyarrow, which is an extra: asking for it, and what it says of bytes that it cannot read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Floats
from offline_trainer.data.columns import numbers_that_are_missing
from offline_trainer.data.files import check_exists, unreadable

INSTALL = "pip install 'offline-trainer-core[arrow]'"


def has_arrow() -> bool:
    """Whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """A context in which a file is read by pyarrow.

    Raises:
        ParameterError: It is not there or damaged, or pyarrow is not installed.
    """
    check_exists(path)
    try:
        yield
    except ParameterError:
        raise
    except ImportError as error:
        raise ParameterError(
            f"to read {path}, pyarrow is needed, which is not installed: {error}",
            parameter="path",
            help=INSTALL,
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise unreadable(path, error) from error
        raise _damaged(path, error) from error
    except Exception as error:
        import pyarrow as pa

        if not isinstance(error, pa.ArrowException):
            raise
        raise _damaged(path, error) from error


def float_values(column: Any, missing: Collection[str]) -> Floats:
    """An array of float64 as numpy's, (N,); NaN where it has nothing, or what is missing.

    Args:
        column: A ``pyarrow.Array`` or ``ChunkedArray``.
        missing: Texts that stand for a missing number.
    """
    if getattr(column, "num_chunks", 0) == 1:  # then it needs no copy
        column = column.chunk(0)
    values: Floats = np.asarray(column, np.float64)
    absent = numbers_that_are_missing(missing)
    if absent:
        values = np.where(np.isin(values, absent), np.nan, values)
    return values


def release_unused() -> None:
    """Give memory back that pyarrow needed for reading, and keeps for later."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _damaged(path: Path, error: Exception) -> ParameterError:
    reason = str(error).partition("\n")[0]
    return ParameterError(f"{path} is damaged or of another format: {reason}", parameter="path")
