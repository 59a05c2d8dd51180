"""Collects what is wrong with a model section, so that all of it is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from keyword import iskeyword
from typing import Any

from model_constructor.errors import ConfigError, ConfigPath, Note, Span, close_matches
from model_constructor.graph.ir import Node
from model_constructor.source_map import SourceMap

Section = Mapping[str, Any]
CallCheck = Callable[[Node], Iterable[ConfigError]]


class Problems:
    """The errors found so far, and readers that add to them instead of raising.

    A reader that finds nothing usable records why and returns an empty value, so that the rest of
    the section is still looked at.
    """

    def __init__(self, sources: SourceMap, check_call: CallCheck = lambda node: ()) -> None:
        self.errors: list[ConfigError] = []
        self.sources = sources
        self._check_call = check_call

    def span(self, path: ConfigPath) -> Span | None:
        """Where the value at ``path`` stands."""
        return self.sources.span(path)

    def add(
        self,
        code: str,
        message: str,
        path: ConfigPath,
        *,
        at_key: bool = False,
        suggestions: Sequence[str] = (),
        notes: Sequence[Note] = (),
        help: str = "",
    ) -> None:
        """Record one error at the value (or, with ``at_key``, at the key) of ``path``."""
        span = self.sources.key_span(path) if at_key else self.sources.span(path)
        self.errors.append(
            ConfigError(
                message,
                code=code,
                config_path=path,
                span=span,
                suggestions=suggestions,
                notes=notes,
                help=help,
            )
        )

    def check_call(self, node: Node) -> None:
        """Record what is wrong with a call, unless its parts could not be read to begin with."""
        path = node.config_path
        if node.call and not any(e.config_path[: len(path)] == path for e in self.errors):
            self.errors += self._check_call(node)

    def check_keys(self, section: Section, path: ConfigPath, accepted: Sequence[str]) -> None:
        """Record every key of ``section`` that is not accepted."""
        for key in section:
            if key not in accepted:
                self.add(
                    "OT0402",
                    f"unknown key {key!r}",
                    (*path, key),
                    at_key=True,
                    suggestions=close_matches(key, accepted),
                    help=f"accepted: {', '.join(accepted)}",
                )

    def required(self, section: Section, key: str, path: ConfigPath) -> bool:
        """Whether ``section`` has ``key``; its absence is recorded."""
        if key in section:
            return True
        self.add("OT0403", f"`{key}` is missing", path)
        return False

    def mapping(self, value: object, path: ConfigPath, expected: str) -> Section:
        """``value`` if it is a mapping, less what its keys that are no strings hold."""
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    self.add("OT0404", f"expected a string as key, got {describe(key)}", path)
            return {key: item for key, item in value.items() if isinstance(key, str)}
        self._wrong_type(value, path, f"a mapping of {expected}")
        return {}

    def sequence(self, value: object, path: ConfigPath, expected: str) -> Sequence[Any]:
        """``value`` if it is a list."""
        if isinstance(value, (list, tuple)):
            return value
        self._wrong_type(value, path, f"a list of {expected}")
        return ()

    def text(self, value: object, path: ConfigPath, expected: str) -> str:
        """``value`` if it is a string."""
        if isinstance(value, str):
            return value
        self._wrong_type(value, path, expected)
        return ""

    def name(self, value: object, path: ConfigPath, what: str, *, at_key: bool = False) -> bool:
        """Whether ``value`` may name a value or module of the generated ``forward``."""
        if is_name(value):
            return True
        self.add(
            "OT0405",
            f"{value!r} cannot be the name of {what}",
            path,
            at_key=at_key,
            help="use ASCII letters, digits and underscores; Python's own words are taken",
        )
        return False

    def spec(self, value: object, path: ConfigPath) -> Section:
        """``value`` if it is a mapping that says what to build."""
        spec = self.mapping(value, path, "`_type_` and its arguments")
        if isinstance(value, Mapping) and "_type_" not in spec and "_target_" not in spec:
            self.add(
                "OT0403", "`_type_` is missing: nothing says what to build", path,
                help="write `_type_: <registry key>`, such as `_type_: nn.Linear`",
            )  # fmt: skip
        return spec

    def choice(self, value: object, path: ConfigPath, accepted: Iterable[str]) -> bool:
        """Whether ``value`` is one of the accepted words."""
        words = tuple(accepted)
        if value in words:
            return True
        self.add(
            "OT0404",
            f"{value!r} is not one of {', '.join(words)}",
            path,
            suggestions=close_matches(value, words),
        )
        return False

    def _wrong_type(self, value: object, path: ConfigPath, expected: str) -> None:
        self.add("OT0404", f"expected {expected}, got {describe(value)}", path)


def is_name(value: object) -> bool:
    """Whether ``value`` can be a variable of generated code, whatever Python's version."""
    return (
        isinstance(value, str)
        and value.isascii()
        and value.isidentifier()
        and not iskeyword(value)
        and value != "self"
    )


def describe(value: object) -> str:
    """A value in a message: what it is, and the value itself where it is short."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"{type(value).__name__} {value!r}"
