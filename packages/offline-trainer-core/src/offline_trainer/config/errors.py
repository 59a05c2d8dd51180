"""Showing a configuration error to a person."""

from __future__ import annotations

from collections.abc import Sequence

from model_constructor.config.overrides import override_sources
from model_constructor.diagnostics import render
from model_constructor.errors import ConfigError


def format_error_with_context(error: ConfigError, overrides: Sequence[str] = ()) -> str:
    """The error as text: code and message, file and line with a caret, further places, next step.

    Args:
        error: One error, or all of a stage.
        overrides: Those given to the run, whose text an error may point into.

    >>> error = ConfigError("unknown key `lr`", config_path=("optimizer",))
    >>> print(format_error_with_context(error))
    error[OT0100]: unknown key `lr`
      = path: optimizer
    """
    return render(error, override_sources(overrides))
