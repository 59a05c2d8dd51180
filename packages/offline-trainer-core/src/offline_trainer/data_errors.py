"""What a datamodule raises while its batches are asked for, told in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from model_constructor.errors import ConfigError, ParameterError
from model_constructor.foreign import text_and_line
from offline_trainer.errors import ComponentFailedError, OfflineTrainerError

Item = TypeVar("Item")


@contextmanager
def data_errors(when: str) -> Iterator[None]:
    """A context in which an exception of the data's own becomes one that says so.

    Raises:
        ComponentFailedError: With the line of the author's code.
    """
    try:
        yield
    except ParameterError as error:
        raise error.within("data") from error
    except (ConfigError, OfflineTrainerError):
        raise  # they say what is wrong, and where
    except Exception as error:
        raise ComponentFailedError(f"the data failed {when}: {text_and_line(error)}") from error


def with_data_errors(batches: Iterable[Item], when: str) -> Iterator[Item]:
    """The batches, asked for in that context."""
    with data_errors(when):
        yield from batches
