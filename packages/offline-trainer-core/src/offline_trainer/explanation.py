"""From what a model or loss raised while running to an error at its place in the config."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from model_constructor.errors import ConfigError, ConfigPath, ParameterError
from model_constructor.instantiate import located_parameter_error
from model_constructor.source_map import SourceMap

_MISUSE = (RuntimeError, ValueError, TypeError, IndexError, KeyError)


def is_misuse(error: Exception) -> bool:
    """Whether an exception is of a kind that wrong shapes or types cause.

    Subclasses are not: frameworks use them for what is nobody's mistake, such as full memory.
    """
    return type(error) in _MISUSE


def explain(error: Exception, sources: SourceMap) -> ConfigError | None:
    """The error that a person should see, if the config is at fault; None if it may not be.

    A built model's forward is compiled under the config's own lines, so the last of its frames in
    the traceback tells which layer or node it was.
    """
    if isinstance(error, ParameterError):
        return located_parameter_error(error, (), sources)
    if not is_misuse(error):
        return None
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = _model_path(frame.filename, frame.lineno, sources)
        if path is not None:
            return ConfigError(
                f"the model failed here: {type(error).__name__}: {error}",
                code="OT0440",
                config_path=path,
                span=sources.span(path),
            )
    return None


def shapes(value: Any) -> str:
    """The shapes and types in nested containers, for messages.

    >>> shapes({"y": [1, 2]})
    '{y: [int, int]}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shapes(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shapes(item) for item in value) + "]"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__


def _model_path(file: str, line: int | None, sources: SourceMap) -> ConfigPath | None:
    """The outermost part of a model that stands on this line."""
    found = [
        path
        for path, source in sources.items()
        if path[:1] in (("model",), ("models",))
        and source.span is not None
        and (source.span.file, source.span.line) == (file, line)
    ]
    return min(found, key=len, default=None)
