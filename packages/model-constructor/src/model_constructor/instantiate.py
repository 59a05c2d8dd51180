"""From specs to objects."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from model_constructor.binding import Binder, is_spec
from model_constructor.call import KWARGS_KEY, REPEAT_KEY
from model_constructor.config.schema import Settings
from model_constructor.errors import ConfigError, ConfigPath, ParameterError, raise_collected
from model_constructor.foreign import text_and_line
from model_constructor.registry import Registry
from model_constructor.source_map import SourceMap

Made = Callable[[Any, ConfigPath], None]


def instantiate_value(
    value: Any,
    *,
    registry: Registry,
    path: ConfigPath = (),
    sources: SourceMap | None = None,
    settings: Settings | None = None,
    targets_allowed: bool = False,
    provided: Mapping[str, Any] | None = None,
    made: Made | None = None,
    kind: str = "",
) -> Any:
    """Build a value: specs become objects, innermost first; everything else stays what it is.

    Args:
        value: A spec, or any nesting of mappings, lists and scalars with specs inside.
        registry: Where keys are looked up.
        path: Config path of the value, for errors.
        sources: Places and typed text of the values.
        settings: The config's settings.
        targets_allowed: The caller's permission for ``_target_``.
        provided: Objects made elsewhere, handed to the outermost component as further keyword
            arguments.
        made: Called with every component built, inner ones too, and its config path.
        kind: What the outermost component must be of; empty for any.

    Raises:
        ConfigError: A key is unknown, an argument wrong, or a component refused to be built; all
            that can be found before building is reported together.

    >>> registry = Registry()
    >>> registry.add("data.pair", complex)
    >>> instantiate_value({"_type_": "data.pair", "real": 1, "imag": 2}, registry=registry)
    (1+2j)
    """
    kinds = {path: kind} if kind else {}
    binder = Binder(
        registry, sources or SourceMap(), settings or Settings(), targets_allowed, kinds
    )
    spec = {**value, **provided} if provided and is_spec(value) else value
    bound = binder.bind(spec, path)
    raise_collected(binder.errors)
    for text in binder.warnings:
        warnings.warn(text, stacklevel=2)
    return _build(bound, path, binder, made)


def _build(value: Any, path: ConfigPath, binder: Binder, made: Made | None) -> Any:
    if is_spec(value):
        built = _build_component(value, path, binder, made)
        if made is not None:
            made(built, path)
        return built
    if isinstance(value, dict):
        return {key: _build(item, (*path, key), binder, made) for key, item in value.items()}
    if isinstance(value, list):
        return [
            _build(item, (*path, index), binder, made)
            for index, item in enumerate(value)
            for _ in range(repetitions(item))
        ]
    return value


def repetitions(value: Any) -> int:
    """How often a layer stands where it is written: its ``_repeat_``, or once."""
    count = value.get(REPEAT_KEY, 1) if is_spec(value) else 1
    return count if isinstance(count, int) and count > 0 else 1  # binding refuses what is wrong


def _build_component(
    spec: Mapping[str, Any], path: ConfigPath, binder: Binder, made: Made | None
) -> Any:
    call = binder.call_of(spec, path)
    entry = call.entry
    args = [_build(item, (*call.args_at, i), binder, made) for i, item in enumerate(call.args)]
    kwargs = {
        name: _build(item, call.places[name], binder, made) for name, item in call.kwargs.items()
    }
    with component_errors(entry.key, path, binder.sources, provider=str(entry.provider)):
        return entry.target(*args, **kwargs)


def located_parameter_error(
    error: ParameterError, path: ConfigPath, sources: SourceMap
) -> ConfigError:
    """A component's complaint about a parameter, at the parameter's place in the config.

    Args:
        path: Where the component stands.
    """
    where = (*path, *error.parameter)
    if (*path, KWARGS_KEY, *error.parameter[:1]) in sources:
        where = (*path, KWARGS_KEY, *error.parameter)
    return ConfigError(
        error.message,
        code="OT0320",
        config_path=where,
        span=sources.span(where),
        suggestions=error.suggestions,
        help=error.help,
    )


class component_errors:  # noqa: N801 - reads as a context at its uses
    """Turn what a component raises into a `ConfigError` at its place in the config.

    A `ParameterError` names a parameter, and the error points at it. A `ConfigError` passes, and
    so does Ctrl-C; any other exception, even SystemExit, becomes one that names the component and
    its provider, with the original as its cause.
    """

    def __init__(
        self, key: str, path: ConfigPath, sources: SourceMap, *, provider: str = "", doing: str = ""
    ) -> None:
        self.key = key
        self.path = path
        self.sources = sources
        self.provider = provider
        self.doing = doing or "could not be built"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, ConfigError | KeyboardInterrupt):
            return
        if isinstance(error, ParameterError):
            raise located_parameter_error(error, self.path, self.sources) from error
        by = f" ({self.provider})" if self.provider else ""
        raise ConfigError(
            f"{self.key}{by} {self.doing}: {text_and_line(error)}",
            code="OT0321",
            config_path=self.path,
            span=self.sources.span(self.path),
        ) from error
