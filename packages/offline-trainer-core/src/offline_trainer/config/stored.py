"""A config that a run stored, changed by overrides: what they set, and what they have to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from model_constructor.config.resolve import ResolvedConfig
from model_constructor.errors import ConfigError, ConfigPath, format_config_path, raise_collected
from model_constructor.redaction import HIDDEN


def is_overridden(resolved: ResolvedConfig, path: ConfigPath) -> bool:
    """Whether an override has set the value at a path, or something in it."""
    length = len(path)
    return any(
        source.layer >= len(resolved.files)
        for at, source in resolved.source_map.items()
        if at[:length] == path
    )


def require_secrets(resolved: ResolvedConfig, sections: Collection[str], command: str) -> None:
    """Report what the run has not stored of some sections, unless an override gives it.

    Args:
        resolved: The stored config with the overrides.
        sections: Those that are going to be used.
        command: Such as ``ot export``, for what to do next.

    Raises:
        ConfigError: All of it, each with its path.
    """
    sources = resolved.source_map
    errors = [
        ConfigError(
            f"{format_config_path(path)} was made from a secret, which a run does not store",
            code="",
            config_path=path,
            span=sources.span(path),
            help=f"give it: {command} … {format_config_path(path)}=…",
        )
        for section in sections
        for path in _hidden(resolved.data.get(section), (section,))
        if not is_overridden(resolved, path)
    ]
    raise_collected(errors)


def _hidden(value: Any, path: ConfigPath) -> Iterator[ConfigPath]:
    if value == HIDDEN:
        yield path
    items: Any = enumerate(value) if isinstance(value, list) else ()
    for key, item in value.items() if isinstance(value, Mapping) else items:
        yield from _hidden(item, (*path, key))
