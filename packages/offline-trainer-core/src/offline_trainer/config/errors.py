"""Showing a configuration error to a person, or to a program."""

from __future__ import annotations

import json
from collections.abc import Sequence

from model_constructor.config.overrides import override_sources
from model_constructor.diagnostics import render
from model_constructor.error_records import error_records
from model_constructor.errors import ConfigError
from offline_trainer.errors import EXIT_USAGE


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


def format_as_json(error: ConfigError | None, exit_code: int = EXIT_USAGE) -> str:
    """One line of JSON with all errors, the same keys in each; an empty list for None.

    >>> format_as_json(None, 0)
    '{"exit_code": 0, "errors": []}'
    """
    records = error_records(error) if error is not None else []
    return json.dumps({"exit_code": exit_code, "errors": records}, ensure_ascii=False)
