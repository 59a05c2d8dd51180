"""Paths as people type them, such as ``optimizer.kwargs.lr``: followed through resolved data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_constructor.config.overrides import Index, Key, Match, Segment, parse_path
from model_constructor.errors import ConfigError, ConfigPath, close_matches, format_config_path

_MAX_SUGGESTIONS = 3
_INDEX = re.compile(r"-?[0-9]{1,9}")


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths and the overrides among arguments, in order.

    >>> split_arguments(["optimizer.kwargs.lr", "trainer.max_epochs=5", "~scheduler"])
    (['optimizer.kwargs.lr'], ['trainer.max_epochs=5', '~scheduler'])
    """
    paths = [text for text in arguments if _is_path(text)]
    return paths, [text for text in arguments if not _is_path(text)]


def follow(text: str, data: Mapping[str, Any]) -> ConfigPath:
    """The path in ``data`` that a text names.

    Raises:
        ConfigError: It is no path, or leads nowhere; with what it probably meant.
    """
    segments = parse_path(text)
    here: ConfigPath = ()
    value: Any = data
    for i, segment in enumerate(segments):
        if isinstance(value, Mapping) and isinstance(segment, Key):
            if segment.name not in value:
                raise _no_key(segments, i, here, value)
            here, value = (*here, segment.name), value[segment.name]
        elif isinstance(value, list):
            place = _place(segment, here, value)
            here, value = (*here, place), value[place]
        else:
            what = "a mapping, not a list" if isinstance(value, Mapping) else "a single value"
            raise _error("OT0221", f"`{_spelled(here)}` is {what}: there is no `{segment}`", here)
    return here


def value_at(data: Any, path: ConfigPath) -> Any:
    """What stands at a path that exists."""
    for part in path:
        data = data[part]
    return data


def leaves(value: Any, path: ConfigPath = ()) -> Iterator[tuple[ConfigPath, Any]]:
    """Every scalar, empty mapping and empty list, with its path."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for i, item in enumerate(value):
            yield from leaves(item, (*path, i))
    else:
        yield path, value


def _is_path(text: str) -> bool:
    if text.startswith(("~", "++")):
        return False
    try:
        parse_path(text)
    except ConfigError:
        return "=" not in text  # so that what is wrong with it is said of what it was meant as
    return True


def _place(segment: Segment, here: ConfigPath, items: list[Any]) -> int:
    if isinstance(segment, Match):
        wanted = (segment.value, segment.text)
        fields = [item.get(segment.field) if isinstance(item, Mapping) else None for item in items]
        places = [i for i, field in enumerate(fields) if field is not None and field in wanted]
        if len(places) == 1:
            return places[0]
        known = [field for field in fields if isinstance(field, str)]
        raise _error(
            "OT0222",
            f"`{_spelled(here)}` has {len(places) or 'no'} items with {segment}",
            here,
            suggestions=[
                f"{_spelled(here)}[{segment.field}={name}]"
                for name in close_matches(segment.text, known)
            ],
            help="name one by its index: [0]" if places else "",
        )
    text = str(segment.number) if isinstance(segment, Index) else segment.name
    number = int(text) if _INDEX.fullmatch(text) else len(items)
    number += len(items) if number < 0 else 0
    if not 0 <= number < len(items):
        raise _error(
            "OT0222", f"`{_spelled(here)}` has {len(items)} items and no `{segment}`", here
        )
    return number


def _no_key(
    segments: Sequence[Segment], i: int, here: ConfigPath, value: Mapping[str, Any]
) -> ConfigError:
    """The error for a key that is not there, each later segment corrected as well."""
    name = str(segments[i])
    found = [
        _spelled(_corrected((*here, near), value[near], segments[i + 1 :]))
        for near in close_matches(name, value)
    ]
    if i == len(segments) - 1:  # perhaps only the way to it was left out
        found += [
            _spelled(path) for path, _ in leaves(value, here) if path[-1] == name and path != here
        ]
    if name == "templates" and not here:
        return _error(
            "OT0221",
            "`templates` is no part of what results: each is merged where `_template_` names it",
            here,
            help="name a place that uses the template",
        )
    keys = ", ".join(list(value)[:12]) + (", …" if len(value) > 12 else "")
    return _error(
        "OT0221",
        f"{f'`{_spelled(here)}`' if here else 'the configuration'} has no key `{name}`",
        here,
        suggestions=found[:_MAX_SUGGESTIONS],
        help=f"its keys: {keys}" if value and not found else "",
    )


def _corrected(path: ConfigPath, value: Any, rest: Sequence[Segment]) -> ConfigPath:
    """The path with as many further segments as can be followed, or nearly."""
    for segment in rest:
        if isinstance(value, Mapping) and isinstance(segment, Key):
            near = close_matches(segment.name, value, limit=1)
            if not near:
                break
            path, value = (*path, near[0]), value[near[0]]
        elif isinstance(value, list):
            try:
                place = _place(segment, path, value)
            except ConfigError:
                break
            path, value = (*path, place), value[place]
        else:
            break
    return path


def _spelled(path: ConfigPath) -> str:
    return format_config_path(path)


def _error(
    code: str, message: str, path: ConfigPath, *, suggestions: Sequence[str] = (), help: str = ""
) -> ConfigError:
    return ConfigError(message, code=code, config_path=path, suggestions=suggestions, help=help)
