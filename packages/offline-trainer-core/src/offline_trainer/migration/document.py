"""One config file as text and as a tree with places, and edits of single words in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_constructor.config.loader import load_document
from model_constructor.config.nodes import Node, Origin
from model_constructor.config.text import LINE_BREAK, decode, read_bytes
from model_constructor.errors import ConfigPath, Span, raise_collected
from model_constructor.source_map import Source, SourceMap

_BYTE_ORDER_MARK = "\ufeff"
_AHEAD = re.compile(r"""(?:(?:[&!]\S*|\#.*)\s+)*["']?""")
"""What may stand ahead of a word in its scalar: anchor, tag, the comments after these, a quote."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One word that is to be another.

    Attributes:
        span: The key or scalar that holds the word.
        old: The word.
        new: What takes its place.
        reason: Why, for people.
    """

    span: Span
    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class Document:
    """One file, read and not resolved.

    Attributes:
        name: Its name in messages.
        text: Its text without a byte order mark.
        root: Its tree.
        data: The same as plain values.
        sources: Places of the values.
    """

    name: str
    text: str
    root: Node
    data: Any = field(init=False)
    sources: SourceMap = field(init=False)

    def __post_init__(self) -> None:
        places: dict[ConfigPath, Source] = {}
        object.__setattr__(self, "data", _plain(self.root, (), places))
        object.__setattr__(self, "sources", SourceMap(places))


def read_file(path: Path, name: str) -> bytes:
    """The bytes of a config file.

    Raises:
        ConfigError: It cannot be read.
    """
    return read_bytes(path, name)


def parse(content: bytes, name: str) -> Document:
    """A file's bytes as a document.

    Raises:
        ConfigError: Everything that makes it unreadable, together.
    """
    text = decode(content, name)
    root, errors = load_document(text, Origin(name, "."))
    raise_collected(errors)
    assert root is not None
    return Document(name, text, root)


def edited(content: bytes, document: Document, edits: Iterable[Edit]) -> tuple[bytes, list[Edit]]:
    """A file's bytes with words replaced, and the edits whose word is not there as such.

    Args:
        content: The bytes that the document was made from.
        document: The document.
        edits: What to replace; a quoted word stays quoted.
    """
    starts = [0, *(match.end() for match in LINE_BREAK.finditer(document.text))]
    text, left = document.text, []
    for edit in sorted(set(edits), key=lambda each: each.span, reverse=True):
        begin = starts[edit.span.line - 1] + edit.span.column - 1
        end = starts[edit.span.end_line - 1] + edit.span.end_column - 1
        ahead = _AHEAD.match(document.text, begin, end)
        place = ahead.end() if ahead else begin
        if document.text.startswith(edit.old, place, end):
            text = text[:place] + edit.new + text[place + len(edit.old) :]
        else:
            left.append(edit)
    mark = _BYTE_ORDER_MARK if content.startswith(_BYTE_ORDER_MARK.encode()) else ""
    return (mark + text).encode(), left


def _plain(node: Node, path: ConfigPath, places: dict[ConfigPath, Source]) -> Any:
    places[path] = Source(node.span, node.key_span)
    if isinstance(node.value, dict):
        return {key: _plain(item, (*path, key), places) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item, (*path, i), places) for i, item in enumerate(node.value)]
    return node.value
