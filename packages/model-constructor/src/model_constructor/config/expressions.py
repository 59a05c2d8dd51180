"""The grammar of ``${…}``: text to parts. What the parts mean is `interpolation`'s business.

text       := (characters | "$${" | reference)*
reference  := "${" (path | environment) ["," default] "}"
path       := "."* segment (("." segment) | "[" index "]")*
environment:= "env:" [("int" | "float" | "bool" | "json") ":"] NAME
default    := a quoted text, a list or mapping, or plain text, which may hold references
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from model_constructor.config.nodes import MAX_DEPTH
from model_constructor.config.scalars import shorten
from model_constructor.errors import ConfigPath, close_matches

MAX_SEGMENTS = 2 * MAX_DEPTH
MAX_NESTED = 8
"""Defaults inside defaults; each level is read once more."""
ENV_TYPES = ("int", "float", "bool", "json")

_SEGMENT = re.compile(r"\.?([^.\[\]{}$,:\s][^.\[\]{}$,:]*)|\[(0|-?[1-9][0-9]{0,8})\]")
# Keys and dots alone, as nearly all references are; the whole grammar takes four times as long.
PLAIN = re.compile(r"\$\{([A-Za-z_][\w-]*(?:\.[\w-]+){0,20})\}", re.ASCII)
# What decides where a reference ends: braces, and quotes that open a text.
_MARK = re.compile(r"[{}]|(?<=[,:\[{])\s*['\"]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ExpressionError(ValueError):
    """A ``${…}`` that cannot be read, with its place in the text."""

    def __init__(self, message: str, start: int, end: int, help: str = "") -> None:
        super().__init__(message)
        self.start = start
        self.end = end
        self.help = help


@dataclass(frozen=True, slots=True)
class Template:
    """A text with its references.

    Attributes:
        parts: Literal texts and references, in order.
        quoted: It stood in quotes, so it stays text whatever it looks like.
    """

    parts: tuple[str | Reference, ...]
    quoted: bool = False

    @property
    def whole(self) -> Reference | None:
        """The reference, if it is all there is."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Reference) else None


@dataclass(frozen=True, slots=True)
class Default:
    """What follows the comma: a template, or the text of a literal list or mapping."""

    template: Template | None
    literal: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """One ``${…}``.

    Attributes:
        source: As written.
        start: Where in the text it starts.
        segments: The path's keys and indices; empty for an environment variable.
        up: Number of leading dots.
        env: The environment variable's name.
        env_type: The type that the variable is declared to have, if any.
        default: What follows the comma, if anything does.
    """

    source: str
    start: int
    segments: tuple[str | int, ...] = ()
    up: int = 0
    env: str = ""
    env_type: str = ""
    default: Default | None = None

    @property
    def end(self) -> int:
        return self.start + len(self.source)


def parse_expression(text: str, offset: int = 0, depth: int = 0) -> Template:
    """The parts of a text.

    >>> parse_expression("lr${params.lr}").parts[1].segments
    ('params', 'lr')

    Raises:
        ExpressionError: A reference is unclosed, empty or malformed.
    """
    if depth > MAX_NESTED + 1:
        raise ExpressionError(f"`${{…}}` nested deeper than {MAX_NESTED}", offset, offset + 2)
    parts: list[str | Reference] = []
    position = 0
    while True:
        found = text.find("${", position)
        if found < 0:
            break
        if found > position and text[found - 1] == "$":
            parts.append(text[position : found - 1] + "${")
            position = found + 2
            continue
        if found > position:
            parts.append(text[position:found])
        if plain := PLAIN.match(text, found):
            parts.append(Reference(plain[0], offset + found, tuple(plain[1].split("."))))
            position = plain.end()
            continue
        end = _closing(text, found, offset)
        parts.append(_reference(text[found:end], offset + found, depth))
        position = end
    if position < len(text):
        parts.append(text[position:])
    return Template(tuple(parts))


def named_paths(text: str, path: ConfigPath) -> Iterator[ConfigPath]:
    """Every path that the expressions in a text name, those in defaults as well.

    >>> list(named_paths("${params.a,${.b}}", ("run", "x")))
    [('params', 'a'), ('run', 'b')]

    Args:
        path: Where the text stands.
    """
    try:
        waiting = [parse_expression(text)]
    except ExpressionError:
        return
    while waiting:
        for part in waiting.pop().parts:
            if isinstance(part, Reference):
                if part.segments:
                    yield (*(path[: -part.up] if part.up else ()), *part.segments)
                if part.default is not None and part.default.template is not None:
                    waiting.append(part.default.template)


def nameable(key: str | int) -> bool:
    """Whether a ``${…}`` can name a key: one with a dot in it, say, no path leads to."""
    found = _SEGMENT.fullmatch(str(key))
    return found is not None and found[1] == key


def _closing(text: str, start: int, offset: int) -> int:
    """The index after the brace that closes the reference at ``start``."""
    opened: list[bool] = []  # for each open brace, whether it is one of a reference
    nested = 0
    position = start + 1
    while mark := _MARK.search(text, position):
        position = mark.end()
        char = text[position - 1]
        if char == "{":
            opened.append(text[position - 2] == "$")
            nested += opened[-1]
            if nested > MAX_NESTED + 1 or len(opened) > MAX_DEPTH:
                message = f"`${{…}}` nested deeper than {MAX_NESTED}"
                raise ExpressionError(message, offset + start, offset + position)
        elif char == "}":
            nested -= opened.pop()
            if not opened:
                return position
        else:
            position = text.find(char, position) + 1
            if position == 0:
                break
    raise ExpressionError(
        "`${` without a closing `}`",
        offset + start,
        offset + len(text),
        "for a literal `${` write `$${`",
    )


def _reference(source: str, start: int, depth: int) -> Reference:
    def fail(message: str, help: str = "") -> ExpressionError:
        return ExpressionError(message, start, start + len(source), help)

    head, comma, rest = source[2:-1].partition(",")
    name = head.strip()
    if not name:
        raise fail("`${}` names nothing", "write ${section.key} or ${env:NAME}")
    default = None
    if comma:
        default = _default(rest, start + 2 + len(head) + 1, depth)
    if ":" in name:
        resolver, _, variable = name.partition(":")
        if resolver != "env":
            raise fail(f"unknown kind of reference `{resolver}:`", "`env:` is the only one")
        env_type, colon, env = variable.partition(":")
        if not colon:
            env_type, env = "", variable
        elif env_type not in ENV_TYPES:
            near = close_matches(env_type, ENV_TYPES, limit=1)
            hint = f"did you mean `env:{near[0]}:`?" if near else f"one of {', '.join(ENV_TYPES)}"
            raise fail(f"unknown type `{env_type}` of an environment variable", hint)
        if not _NAME.fullmatch(env):
            raise fail(f"`{shorten(env)}` is not an environment variable's name")
        return Reference(source, start, env=env, env_type=env_type, default=default)
    up = len(name) - len(name.lstrip("."))
    segments: list[str | int] = []
    position = up
    while position < len(name):
        match = _SEGMENT.match(name, position)
        # A dot goes before every key but the first; an index has none.
        dotted = name[position] == "."
        if match is None or (match[1] is not None and dotted != bool(segments)):
            raise fail(f"`{shorten(name)}` is not a path", "write it like `section.list.0.key`")
        segments.append(match[1] if match[1] is not None else int(match[2]))
        if len(segments) > MAX_SEGMENTS:
            raise fail(f"a path of more than {MAX_SEGMENTS} steps")
        position = match.end()
    if not segments:
        raise fail(f"`{shorten(name)}` is not a path", "`.key` names a neighbour of this value")
    return Reference(source, start, tuple(segments), up, default=default)


def _default(text: str, start: int, depth: int) -> Default:
    stripped = text.strip()
    inner = start + len(text) - len(text.lstrip())
    if len(stripped) >= 2 and stripped[0] in "'\"" and stripped[-1] == stripped[0]:
        template = parse_expression(stripped[1:-1], inner + 1, depth + 1)
        return Default(Template(template.parts, quoted=True))
    if stripped.startswith(("[", "{")):
        if "${" in stripped:
            raise ExpressionError(
                "a list or mapping as default cannot hold `${…}`",
                inner,
                inner + len(stripped),
                "give it a place under `params` and refer to that",
            )
        return Default(None, stripped)
    return Default(parse_expression(stripped, inner, depth + 1))
