"""Command line overrides, ``key.path=value`` and its relatives: the grammar.

a.b=1           set (a mapping is merged over one that is there)
a.list+={…}     append an item, or all items of a list
a.list-=value   remove the items that equal the value, or that hold all its fields
~a.b            delete
++params.b=1    set, also where the free-form section has no such key yet
a.list[0].b=1   by index; `a.list[name=x].b=1` by field
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model_constructor.config.loader import load_value
from model_constructor.config.nodes import MAX_DEPTH, Node, Origin
from model_constructor.config.scalars import Scalar, parse_scalar, shorten
from model_constructor.errors import ConfigError, ConfigPath, Span

_KEY = re.compile(r"[^.\[\]=\s]+?(?=\.|\[|[+-]?=|$)")
_INDEX = re.compile(r"\[(-?[0-9]{1,9})\]")
_MATCH = re.compile(r"\[([^\[\]=]+)=([^\[\]]*)\]")
_OPERATOR = re.compile(r"\+=|-=|=")


@dataclass(frozen=True, slots=True)
class Key:
    """A step to a field of a mapping, or to an item of a list by its number."""

    name: str
    span: Span

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Index:
    """A step to an item by its place: ``[0]``, ``[-1]``."""

    number: int
    span: Span

    def __str__(self) -> str:
        return f"[{self.number}]"


@dataclass(frozen=True, slots=True)
class Match:
    """A step to the item whose field has a value: ``[_type_=cb.model_checkpoint]``."""

    field: str
    value: Scalar
    text: str
    span: Span

    def __str__(self) -> str:
        return f"[{self.field}={self.text}]"


Segment = Key | Index | Match


@dataclass(frozen=True, slots=True)
class Override:
    """One argument, read.

    Attributes:
        operator: ``=``, ``+=``, ``-=`` or ``~``.
        segments: The path.
        value: What stands after the operator; None for ``~``.
        force: It began with ``++``.
        span: The path in the argument.
        origin: The argument, named ``<cli:1>`` and so on.
    """

    operator: str
    segments: tuple[Segment, ...]
    value: Node | None
    force: bool
    span: Span
    origin: Origin

    @property
    def path(self) -> ConfigPath:
        """The path as far as it can be told without looking at the configuration."""
        path: list[str | int] = []
        for segment in self.segments:
            if isinstance(segment, Match):
                break
            path.append(segment.number if isinstance(segment, Index) else segment.name)
        return tuple(path)


def override_name(number: int) -> str:
    """The name of the ``number``-th argument (from 1) in spans and provenance."""
    return f"<cli:{number}>"


def override_sources(overrides: Sequence[str]) -> dict[str, str]:
    """The arguments by their names, for showing them under an error."""
    return {override_name(i): text for i, text in enumerate(overrides, 1)}


def parse_override(text: str, origin: Origin) -> Override:
    """Read one argument.

    Raises:
        ConfigError: It does not follow the grammar, with a caret under the place.
    """
    delete, force = text.startswith("~"), text.startswith("++")
    start = 2 if force else 1 if delete else 0
    segments, position = _segments(text, start, origin)
    span = _span(origin, start, position)
    operator = _OPERATOR.match(text, position)
    if delete:
        if operator is not None:
            raise _error("`~` deletes and takes no value", text, position, origin)
        return Override("~", tuple(segments), None, False, span, origin)
    if operator is None:
        raise _error("expected `=` and a value", text, position, origin)
    if force and operator.group() != "=":
        raise _error(f"`++` goes with `=`, not with `{operator.group()}`", text, position, origin)
    override = Override(operator.group(), tuple(segments), None, force, span, origin)
    try:
        value = load_value(text[operator.end() :], origin, operator.end() + 1)
    except ConfigError as error:
        raise error.located(override.path, span) from None
    return replace(override, value=value)


def parse_path(text: str) -> tuple[Segment, ...]:
    """Read a path without an operator, such as ``optimizer.kwargs.lr``.

    Raises:
        ConfigError: It does not follow the grammar.
    """
    try:
        segments, end = _segments(text, 0, Origin("<path>", "."))
        wrong = "a path has no value" if end < len(text) else ""
    except ConfigError as error:
        wrong = error.message.partition(": ")[2]
    if wrong:
        raise ConfigError(
            f"path `{shorten(text)}`: {wrong}",
            code="OT0220",
            help="write section.key, list[0].key or list[field=value].key",
        )
    return tuple(segments)


def _segments(text: str, start: int, origin: Origin) -> tuple[list[Segment], int]:
    """The steps of a path, and where in the text it ends."""
    segments: list[Segment] = []
    position = start
    while position < len(text) and not _OPERATOR.match(text, position):
        found: Segment
        if segments and text[position] == ".":
            position += 1
            found = _key(text, position, origin)
        elif text[position] == "[":
            found = _bracket(text, position, origin)
        elif segments:
            raise _error("expected `.`, `[` or `=` here", text, position, origin)
        else:
            found = _key(text, position, origin)
        segments.append(found)
        position = found.span.end_column - 1
        if len(segments) > MAX_DEPTH:
            raise _error(f"a path of more than {MAX_DEPTH} steps", text, position, origin)
    if not segments or not isinstance(segments[0], Key):
        raise _error("expected a path such as `trainer.max_epochs`", text, start, origin)
    return segments, position


def _key(text: str, position: int, origin: Origin) -> Key:
    match = _KEY.match(text, position)
    if match is None:
        raise _error("expected a key here", text, position, origin)
    return Key(match.group(), _span(origin, position, match.end()))


def _bracket(text: str, position: int, origin: Origin) -> Index | Match:
    index = _INDEX.match(text, position)
    if index is not None:
        return Index(int(index[1]), _span(origin, position, index.end()))
    match = _MATCH.match(text, position)
    if match is None:
        raise _error("expected `[0]` or `[field=value]` here", text, position, origin)
    span = _span(origin, position, match.end())
    try:
        value = parse_scalar(match[2])
    except ValueError as error:
        raise ConfigError(str(error), code="OT0113", span=span) from None
    return Match(match[1], value, match[2], span)


def _span(origin: Origin, start: int, end: int) -> Span:
    return Span(origin.name, 1, start + 1, 1, end + 1)


def _error(message: str, text: str, position: int, origin: Origin) -> ConfigError:
    return ConfigError(
        f"override `{shorten(text)}`: {message}",
        code="OT0220",
        span=_span(origin, position, position + 1),
        help="write key.path=value, key+=item, key-=item, ~key or ++key=value",
    )
