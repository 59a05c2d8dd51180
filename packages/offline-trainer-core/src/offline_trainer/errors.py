"""Errors of a run, each with the exit code the command line ends with.

    Exception
    └── OfflineTrainerError          exit 1
        ├── RunDirectoryError        exit 2   locked by another run, or not writable
        ├── StateMismatchError       exit 2   a sound checkpoint that does not fit this config
        ├── InputFileError           exit 2   a file to predict for, or its place, cannot be used
        ├── DivergedError            exit 3   loss or gradient is not finite
        ├── CheckpointError          exit 4   checkpoints exist, none can be used
        │   └── DamagedCheckpointError        one checkpoint whose bytes are not what was saved
        └── ComponentFailedError     exit 1   a callback or trainer raised; says which

What is wrong with a config is a `model_constructor.errors.ConfigError` (exit 2).
Imports nothing but the standard library.
"""

from __future__ import annotations

from typing import Any, ClassVar


class OfflineTrainerError(Exception):
    """A run failed in a way that has a clear message; shown without a traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class RunDirectoryError(OfflineTrainerError):
    """The run directory cannot be used: another run holds it, or it cannot be written."""

    exit_code = 2


class StateMismatchError(OfflineTrainerError):
    """A sound checkpoint does not fit the models or optimizers of this config."""

    exit_code = 2


class InputFileError(OfflineTrainerError):
    """A file that is to be predicted for cannot be used, or predictions cannot be written."""

    exit_code = 2


class DivergedError(OfflineTrainerError):
    """Loss or gradient is not finite.

    Attributes:
        place: The `offline_trainer.non_finite.Place` of the window to blame, where it is known.
    """

    exit_code = 3

    def __init__(self, message: str, *, help: str = "", place: Any = None) -> None:
        super().__init__(message, help=help)
        self.place = place


class CheckpointError(OfflineTrainerError):
    """Checkpoints exist, and none of them can be used."""

    exit_code = 4


class DamagedCheckpointError(CheckpointError):
    """One checkpoint whose bytes are not what was saved."""


class ComponentFailedError(OfflineTrainerError):
    """A component raised inside the loop; the message has its name and the hook."""


EXIT_DONE = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 75
EXIT_STOPPED_AT_ONCE = 130
