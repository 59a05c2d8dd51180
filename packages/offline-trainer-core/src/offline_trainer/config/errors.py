"""Showing a configuration error to a person."""

from __future__ import annotations

from model_constructor.diagnostics import render
from model_constructor.errors import ConfigError


def format_error_with_context(error: ConfigError) -> str:
    """The error as text: code and message, file and line with a caret, further places, next step.

    >>> error = ConfigError("unknown key `lr`", config_path=("optimizer",))
    >>> print(format_error_with_context(error))
    error[OT0100]: unknown key `lr`
      = path: optimizer
    """
    return render(error)
