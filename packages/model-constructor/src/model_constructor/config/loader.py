"""YAML text to a tree of nodes with positions, from parser events and without recursion.

None of PyYAML's constructors or resolvers run: events say where what stands, and `parse_scalar`
says what it means. The only module that imports yaml.
"""

from __future__ import annotations

from typing import Any

import yaml

from model_constructor.config.nodes import (
    MAX_DEPTH,
    MAX_NODES,
    Node,
    Origin,
    depth_error,
    replaced,
    size_error,
)
from model_constructor.config.scalars import parse_scalar, shorten
from model_constructor.config.syntax import bad_escape, syntax_error
from model_constructor.config.tags import STR_TAG, check_collection_tag, tagged_scalar
from model_constructor.config.text import check_characters
from model_constructor.errors import (
    MAX_COLLECTED_ERRORS,
    ConfigError,
    ConfigPath,
    Note,
    Span,
    raise_collected,
)

MAX_ALIAS_RATIO = 100
MAX_TAG_DIRECTIVES = 100
_new_tuple = tuple.__new__
PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_document(text: str, origin: Origin) -> tuple[Node | None, list[ConfigError]]:
    """The mapping that a YAML file holds, and all that is wrong with it.

    With errors that leave the rest readable (a duplicate key, say) there is a mapping too, so that
    the files it includes can be looked at in the same pass.
    """
    root, errors = _build(text, origin)
    if errors:
        return (root if root and isinstance(root.value, dict) else None), errors
    try:
        return _checked_document(root, origin), []
    except ConfigError as error:
        return None, [error]


def _checked_document(root: Node | None, origin: Origin) -> Node:
    if root is None or (root.value is None and root.text == ""):
        raise ConfigError(
            f"`{origin.name}` is empty",
            code="OT0106",
            span=Span(origin.name, 1, 1, 1, 1),
            help="a configuration starts with `schema_version: 1`",
        )
    if not isinstance(root.value, dict):
        found = "a list" if isinstance(root.value, list) else "a single value"
        raise ConfigError(
            f"`{origin.name}` must hold a mapping at the top, got {found}",
            code="OT0108",
            span=root.span,
            help="write `key: value` lines",
        )
    return root


def load_value(text: str, origin: Origin, column: int = 1) -> Node:
    """The value that a command line argument or a default holds, by the rules of a file.

    Args:
        column: Where in the argument the text starts, for positions.

    Raises:
        ConfigError: Anything that is wrong with the text.
    """
    # Leading spaces mean nothing to a flow value and put every position right.
    padded = " " * (column - 1) + text
    check_characters(padded, origin.name)
    root, errors = _build(padded, origin)
    raise_collected(errors)
    here = Span(origin.name, 1, column, 1, column + len(text))
    if root is None:
        return Node(None, origin, span=here, text="")
    if isinstance(root.value, dict | list) and not text.lstrip().startswith(("{", "[", "!", "&")):
        raise ConfigError(
            f"`{shorten(text)}` is read as a block of YAML lines",
            code="OT0105",
            span=here,
            help="write {key: value} or [a, b]; put quotes around a text with `: ` in it",
        )
    return root


class _Open:
    """A collection whose end has not been reached."""

    __slots__ = (
        "anchor", "end", "first", "height", "is_merge", "items", "key", "key_spans", "merged",
        "start", "values",
    )  # fmt: skip

    def __init__(self, event: Any, start: Span, first: int) -> None:
        is_mapping = type(event) is yaml.MappingStartEvent
        self.items: dict[str, Node] | None = {} if is_mapping else None
        self.values: list[Node] = []
        self.key: str | None = None
        self.key_spans: dict[str, Span] = {}
        self.is_merge = False
        self.merged: list[dict[str, Node]] = []
        self.anchor: str | None = event.anchor
        self.first = first
        self.height = 1
        self.start = start
        self.end = start


class _Builder:
    """Turns events into nodes; holds the path to the open collection instead of recursing."""

    def __init__(self, text: str, origin: Origin) -> None:
        self.text = text
        self.origin = origin
        self.name = origin.name
        self.errors: list[ConfigError] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int, int]] = {}
        self.root: Node | None = None
        self.written = 0
        self.expanded = 0

    def span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        # What Span(…) does, without a call more for each key and value.
        return _new_tuple(
            Span, (self.name, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
        )

    def path(self) -> ConfigPath:
        parts: list[str | int] = []
        for frame in self.open:
            if frame.items is None:
                parts.append(len(frame.values))
            elif frame.key is not None:
                parts.append(frame.key)
        return tuple(parts)

    def awaiting_key(self) -> _Open | None:
        """The open collection, if it is a mapping and a key comes next."""
        if not self.open:
            return None
        frame = self.open[-1]
        return frame if frame.key is None and frame.items is not None else None

    def report(self, code: str, message: str, span: Span, **more: Any) -> None:
        self.errors.append(
            ConfigError(message, code=code, config_path=self.path(), span=span, **more)
        )
        if len(self.errors) >= MAX_COLLECTED_ERRORS:
            raise self.errors.pop()

    def count(self, nodes: int, span: Span) -> None:
        self.expanded += nodes
        if self.expanded > MAX_NODES:
            raise size_error(self.path(), span)

    def scalar(self, event: Any) -> None:
        span = self.span(event)
        self.written += 1
        if self.open:
            frame = self.open[-1]
            if frame.key is None and frame.items is not None:
                self.key(frame, event, span)
                return
        self.count(1, span)
        value = written = event.value
        plain = not event.style and event.tag is None
        try:
            if plain:
                value = parse_scalar(written)
            elif event.tag is not None:
                value = tagged_scalar(written, event.tag, plain=not event.style)
        except ValueError as error:
            self.report("OT0113" if plain else "OT0112", str(error), span)
            value = None
        if event.style and (bad := bad_escape(written)):
            self.report("OT0103", bad, span)
        node = Node(value, self.origin, span, None, written if plain else None)
        self.complete(node, span, event.anchor, 1, 0)

    def key(self, frame: _Open, event: Any, span: Span) -> None:
        name: str = event.value
        frame.key = name
        frame.is_merge = name == "<<" and not event.style
        if event.anchor:
            self.anchors[event.anchor] = (Node(name, self.origin, span=span), 1, 0)
        if not name:
            self.report("OT0110", "a key cannot be empty", span)
        elif "${" in name:
            self.report("OT0110", f"`{name}`: `${{…}}` works in values, not in keys", span)
        elif event.tag not in (None, "!", STR_TAG):
            self.report("OT0112", f"key `{name}` has a tag; keys are always text", span)
        elif event.style and (bad := bad_escape(name)):
            self.report("OT0103", bad, span)
        earlier = frame.key_spans.setdefault(name, span)
        if earlier is not span:
            note = Note("first written here", earlier)
            self.report("OT0109", f"duplicate key `{name}`", span, label="again here", notes=[note])

    def start(self, event: Any) -> None:
        span = self.span(event)
        if self.awaiting_key() is not None:
            raise ConfigError(
                "a key must be a single word or text, got a collection",
                code="OT0110",
                config_path=self.path(),
                span=span,
            )
        if len(self.open) >= MAX_DEPTH:
            raise depth_error(self.path(), span)
        if event.tag is not None and (message := check_collection_tag(event)):
            self.report("OT0112", message, span)
        self.written += 1
        self.count(1, span)
        self.open.append(_Open(event, span, self.expanded))

    def end(self, event: Any) -> None:
        frame = self.open.pop()
        start, end, mark = frame.start, frame.end, event.end_mark
        # A block collection "ends" where the next token starts; its last value is what one means.
        if mark.index > event.start_mark.index:
            end_line, end_column = mark.line + 1, mark.column + 1
        else:
            end_line, end_column = end.end_line, end.end_column
        span = Span(self.name, start.line, start.column, end_line, end_column)
        value: dict[str, Node] | list[Node]
        if frame.items is None:
            value = frame.values
        elif not frame.merged:
            value = frame.items
        else:
            value = {}
            for mapping in frame.merged:
                value |= {key: node for key, node in mapping.items() if key not in value}
            value |= frame.items
        size = self.expanded - frame.first + 1
        node = Node(value, self.origin, span=span)
        self.complete(node, span, frame.anchor, size, frame.height)

    def alias(self, event: Any) -> None:
        span = self.span(event)
        self.written += 1
        known = self.anchors.get(event.anchor)
        if known is None:
            inside = any(frame.anchor == event.anchor for frame in self.open)
            why = "stands inside what it repeats" if inside else "has no anchor before it"
            raise ConfigError(
                f"alias `*{event.anchor}` {why}",
                code="OT0116",
                config_path=self.path(),
                span=span,
            )
        node, size, height = known
        if self.awaiting_key() is not None:
            raise ConfigError(
                "an alias cannot be a key", code="OT0110", config_path=self.path(), span=span
            )
        self.count(size, span)
        if len(self.open) + height > MAX_DEPTH:
            raise depth_error(self.path(), span)
        self.complete(node, span, None, size, height)

    def complete(self, node: Node, span: Span, anchor: str | None, size: int, height: int) -> None:
        """Put a finished node, which stands (if by an alias) at ``span``, where it belongs."""
        if anchor:
            self.anchors[anchor] = (node, size, height)
        if not self.open:
            self.root = node
            return
        frame = self.open[-1]
        if height >= frame.height:
            frame.height = height + 1
        frame.end = span
        key = frame.key
        if frame.items is None or key is None:
            frame.values.append(node)
            return
        if frame.is_merge:
            frame.merged += self.merge_sources(node, span)
        else:
            key_span = frame.key_spans[key]
            if node.text == "":
                self.check_colon(key, key_span, span)
            if node.span is not span:
                node = replaced(node)  # an alias: the node belongs to another key already
            node.key_span = key_span
            frame.items[key] = node
        frame.key = None

    def merge_sources(self, node: Node, span: Span) -> list[dict[str, Node]]:
        sources = node.value if isinstance(node.value, list) else [node]
        mappings = [source.value for source in sources if isinstance(source.value, dict)]
        if len(mappings) != len(sources):
            message = "`<<` needs a mapping or a list of mappings"
            self.report("OT0111", message, span, help="write `<<: *anchor`")
        return mappings

    def check_colon(self, key: str, key_span: Span, span: Span) -> None:
        """``{lr:1}`` is a key ``lr:1`` to YAML, which nobody means."""
        if ":" in key and (span.line, span.column) == (key_span.end_line, key_span.end_column):
            name, _, value = key.partition(":")
            self.report(
                "OT0105",
                f"`{key}` is read as a key without a value",
                key_span,
                help=f"put a space after the colon: `{name}: {value}`",
            )


def _build(text: str, origin: Origin) -> tuple[Node | None, list[ConfigError]]:
    builder = _Builder(text, origin)
    handlers = {
        yaml.ScalarEvent: builder.scalar,
        yaml.MappingStartEvent: builder.start,
        yaml.SequenceStartEvent: builder.start,
        yaml.MappingEndEvent: builder.end,
        yaml.SequenceEndEvent: builder.end,
        yaml.AliasEvent: builder.alias,
    }
    documents = 0
    try:
        if text.count("%TAG") > MAX_TAG_DIRECTIVES:
            # libyaml compares each with all before it.
            raise ConfigError(
                f"more than {MAX_TAG_DIRECTIVES} `%TAG` directives",
                code="OT0105",
                span=Span(origin.name, 1, 1, 1, 2),
            )
        # Not yaml.parse(), which asks twice for each event.
        for event in iter(PARSER(text).get_event, None):
            handle = handlers.get(type(event))
            if handle is not None:
                handle(event)
            elif type(event) is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise ConfigError(
                        f"`{origin.name}` holds more than one YAML document",
                        code="OT0107",
                        span=builder.span(event),
                        help="split the file at `---`, and use `defaults:` to combine the parts",
                    )
        if builder.expanded > MAX_ALIAS_RATIO * builder.written:
            raise size_error((), builder.root.span if builder.root else None)
    except ConfigError as error:
        builder.errors.append(error)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's Python parser lets chr()'s errors through for a bad escape.
        builder.errors.append(syntax_error(error, text, origin.name, builder.path()))
    return builder.root, builder.errors
