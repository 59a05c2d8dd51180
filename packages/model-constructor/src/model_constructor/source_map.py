"""Where each value of a resolved configuration came from.

The resolved data itself is plain Python (dict, list, str, int, float, bool, None). What a file said
about a value, its position, its text as typed, lives beside it in a `SourceMap` keyed by path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from model_constructor.errors import ConfigPath, Span


@dataclass(frozen=True, slots=True)
class Version:
    """What a value is in a config that ends with one of its layers.

    Attributes:
        layer: That layer's number.
        value: The value, resolved; ``***`` for a secret.
        span: Where the layer set it, or what it is made from; where it stands if it did neither.
    """

    layer: int
    value: object
    span: Span | None


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of one node of the resolved configuration.

    Attributes:
        span: The value in its file; None for a mapping given from Python.
        key_span: The mapping key in front of the value, when there is one.
        text: A plain (unquoted) scalar exactly as typed, for typing by the receiving parameter;
            None for every other node.
        folder: Folder of the file that set the value (the current folder for the command line
            and for Python); relative input paths are looked up from here.
        layer: Which file, counted in merge order, or the command line, set it; later is higher.
        versions: The value with all layers, then without the highest, and so on.
    """

    span: Span | None
    key_span: Span | None = None
    text: str | None = None
    folder: str | None = None
    layer: int = 0
    versions: Callable[[], Iterable[Version]] = field(default=tuple, compare=False)


class SourceMap(Mapping[ConfigPath, Source]):
    """Sources by config path; a path without one of its own borrows its nearest ancestor's span."""

    def __init__(self, sources: Mapping[ConfigPath, Source] | None = None) -> None:
        self._sources: Mapping[ConfigPath, Source] = {} if sources is None else sources

    def __getitem__(self, path: ConfigPath) -> Source:
        return self._sources[path]

    def __iter__(self) -> Iterator[ConfigPath]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def span(self, path: ConfigPath) -> Span | None:
        """Where the value at ``path`` stands, or the nearest thing around it."""
        for length in range(len(path), -1, -1):
            source = self._sources.get(path[:length])
            if source is not None and source.span is not None:
                return source.span
        return None

    def key_span(self, path: ConfigPath) -> Span | None:
        """Where the key of ``path`` stands; where the value stands if it has no key."""
        source = self._sources.get(path)
        if source is not None and source.key_span is not None:
            return source.key_span
        return self.span(path)

    def text(self, path: ConfigPath) -> str | None:
        """The plain scalar at ``path`` as typed, or None."""
        source = self._sources.get(path)
        return source.text if source is not None else None
