"""Resolving every ``${…}`` of a merged tree, each value once, in the order they need each other.

Values that need another one wait on an explicit stack, so a long chain of references cannot
overflow Python's. A value that failed silences those that depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping

from model_constructor.config.environment import (
    environment_value,
    missing_variable,
    secret_texts,
)
from model_constructor.config.expressions import (
    PLAIN,
    ExpressionError,
    Reference,
    Template,
    parse_expression,
)
from model_constructor.config.loader import load_value
from model_constructor.config.nodes import (
    Hop,
    Node,
    Origin,
    describe,
    is_dynamic,
    kind,
    replaced,
    replaced_everywhere,
)
from model_constructor.config.scalars import Scalar, parse_scalar, shorten, write_scalar
from model_constructor.config.schema import TRUST_IT
from model_constructor.config.suggestions import missing_segment
from model_constructor.errors import (
    MAX_COLLECTED_ERRORS,
    ConfigError,
    ConfigPath,
    Note,
    Span,
    format_config_path,
)
from model_constructor.findings import Findings

MAX_TEXT = 1024 * 1024
MAX_TOTAL_TEXT = 16 * MAX_TEXT
MAX_SHOWN_HOPS = 20

_INDEX = re.compile(r"-?[0-9]{1,9}")

# A step of the work: asks for a node at a path to be resolved, gets it (None: it failed), and
# returns its own result.
_Step = Generator[tuple[ConfigPath, Node], "Node | None", "Node | None"]


def interpolate(
    root: Node, environ: Mapping[str, str], findings: Findings, *, untrusted: bool
) -> tuple[Node, frozenset[str]]:
    """The tree with every reference replaced by what it names, and the secrets that it read.

    Args:
        findings: Takes malformed or missing references, cycles and unset variables.
    """
    resolver = _Resolver(root, environ, untrusted)
    resolved = resolver.run((), root)
    unknown = [path for path, node in resolver.done.items() if node is None]
    findings.add(resolver.errors, unknown=unknown)
    return resolved or root, frozenset(resolver.secret_texts)


def reader(
    root: Node, environ: Mapping[str, str], *, untrusted: bool
) -> Callable[[ConfigPath], Node | None]:
    """Reads single values of a tree, resolved; None where there is none or it cannot be told."""
    resolver = _Resolver(root, environ, untrusted)

    def read(path: ConfigPath) -> Node | None:
        node: Node | None = root
        for depth, segment in enumerate(path, start=1):
            child = _child(node, segment) if node is not None else None
            if child is None:
                return None
            here, node = path[:depth], child[1]
            if isinstance(node.value, str):  # a mapping need not be resolved to look into it
                node = resolver.done[here] if here in resolver.done else resolver.run(here, node)
        return node

    return read


class _Resolver:
    def __init__(self, root: Node, environ: Mapping[str, str], untrusted: bool) -> None:
        self.root = root
        self.environ = environ
        self.untrusted = untrusted
        self.errors: list[ConfigError] = []
        self.done: dict[ConfigPath, Node | None] = {}
        self.secret_texts: set[str] = set()
        self.total = 0
        self.dynamic: set[int] = set()
        self.find_dynamic(root)

    def find_dynamic(self, node: Node) -> bool:
        """Note which nodes hold a reference, in themselves or below: no others need work."""
        value = node.value
        found = False
        if isinstance(value, str):
            found = "${" in value
        elif isinstance(value, (dict, list)):
            for inner in value.values() if isinstance(value, dict) else value:
                if isinstance(inner.value, (str, dict, list)) and self.find_dynamic(inner):
                    found = True
        if found:
            self.dynamic.add(id(node))
        return found

    def run(self, path: ConfigPath, node: Node) -> Node | None:
        """Resolve a node and all it needs."""
        stack = [(path, self.resolve(path, node))]
        waiting = {path}
        answer: Node | None = None
        while stack and len(self.errors) < MAX_COLLECTED_ERRORS:
            path, step = stack[-1]
            try:
                needed, node = step.send(answer)
            except StopIteration as finished:
                answer = self.done[path] = finished.value
            except ConfigError as error:
                self.errors += error.errors
                answer = self.done[path] = None
            else:
                answer = None
                if needed in self.done:
                    answer = self.done[needed]
                elif needed in waiting:
                    self.errors.append(self.cycle_error(needed, [path for path, _ in stack]))
                else:
                    stack.append((needed, self.resolve(needed, node)))
                    waiting.add(needed)
                continue
            stack.pop()
            waiting.remove(path)
        return answer

    def resolve(self, path: ConfigPath, node: Node) -> _Step:
        """The node at a path of the merged tree, resolved."""
        if id(node) not in self.dynamic:
            return node
        if isinstance(node.value, dict):
            fields = dict(node.value)
            for key, field in node.value.items():
                if id(field) in self.dynamic:
                    found = self.direct(field) or (yield (*path, key), field)
                    fields[key] = found or field
            return replaced(node, value=fields)
        if isinstance(node.value, list):
            items = list(node.value)
            for i, item in enumerate(node.value):
                if id(item) in self.dynamic:
                    found = self.direct(item) or (yield (*path, i), item)
                    items[i] = found or item
            return replaced(node, value=items)
        try:
            template = parse_expression(str(node.value))
        except ExpressionError as error:
            raise ConfigError(
                str(error),
                code="OT0240",
                config_path=path,
                span=_part_span(node, error.start, error.end),
                help=error.help,
            ) from None
        result = yield from self.evaluate(template, node, path, as_text=node.text is None)
        return _placed(result, node) if result is not None else None

    def direct(self, node: Node) -> Node | None:
        """What one reference alone gives, if it names a value that needs no work itself.

        The commonest case by far, without the steps that the others take.
        """
        plain = PLAIN.fullmatch(node.value) if isinstance(node.value, str) else None
        if plain is None:
            return None
        current, path = self.root, tuple(plain[1].split("."))
        for segment in path:
            fields = current.value
            if not isinstance(fields, dict) or segment not in fields:
                return None
            current = fields[segment]
        if id(current) in self.dynamic:
            return None
        return _placed(replaced(current, references=(Hop(plain[0], path),)), node)

    def evaluate(self, template: Template, node: Node, path: ConfigPath, *, as_text: bool) -> _Step:
        """The value of a template that stands in ``node``; None if something in it failed.

        Args:
            as_text: Several parts together are text, whatever they look like.
        """
        if template.whole is not None and not template.quoted:
            return (yield from self.refer(template.whole, node, path))
        pieces: list[str] = []
        length, failed = 0, False
        found: list[Node] = []
        for part in template.parts:
            if isinstance(part, str):
                pieces.append(part)
            else:
                value = yield from self.refer(part, node, path)
                if value is None:
                    failed = True
                    continue
                found.append(value)
                pieces.append(_inserted(value, part, node, path))
            length += len(pieces[-1])
            if length > MAX_TEXT:
                raise _error("OT0247", "the text is longer than 1 MB", node, path)
        self.total += length
        if self.total > MAX_TOTAL_TEXT:
            raise _error("OT0247", "all texts together are longer than 16 MB", node, path)
        if failed:
            return None
        text = "".join(pieces)
        secret = any(value.secret for value in found)
        references = tuple(hop for value in found for hop in value.references)
        scalar: Scalar = text
        if not as_text:
            try:
                scalar = parse_scalar(text)
            except ValueError as error:
                message = "the number is too large" if secret else str(error)
                raise _error("OT0113", message, node, path) from None
        typed = None if as_text else text
        return Node(scalar, node.origin, text=typed, secret=secret, references=references)

    def refer(self, reference: Reference, node: Node, path: ConfigPath) -> _Step:
        """What one reference names, or its default."""
        try:
            if reference.env:
                return self.environment(reference, node, path)
            return (yield from self.look_up(reference, node, path))
        except _MissingError as missing:
            if reference.default is None:
                raise missing.error.located(path, _reference_span(node, reference)) from None
        default, hop = reference.default, Hop(reference.source)
        if default.template is not None:
            quoted = default.template.quoted
            value = yield from self.evaluate(default.template, node, path, as_text=quoted)
            return value and replaced(value, references=(hop, *value.references))
        try:
            literal = load_value(default.literal, node.origin)
        except ConfigError as error:
            raise _error("OT0240", f"default: {error.message}", node, path, reference) from None
        literal = replaced_everywhere(literal, span=None, key_span=None)
        return replaced(literal, references=(hop,))

    def environment(self, reference: Reference, node: Node, path: ConfigPath) -> Node:
        if self.untrusted:
            raise ConfigError(
                f"an untrusted configuration cannot read the environment (`{reference.env}`)",
                code="OT0245",
                config_path=path,
                span=_reference_span(node, reference),
                help=f"write the value here, or {TRUST_IT}",
            )
        try:
            value = environment_value(reference, self.environ, node.origin)
        except ConfigError as error:
            raise error.located(path, _reference_span(node, reference)) from None
        if value is None:
            raise _MissingError(missing_variable(reference, self.environ))
        self.secret_texts.update(secret_texts(value))
        return replaced(value, references=(Hop(reference.source, env=reference.env),))

    def look_up(self, reference: Reference, node: Node, path: ConfigPath) -> _Step:
        """Walk to what a reference names, through other references where they are on the way."""
        if reference.up > len(path):
            raise _error("OT0241", f"`{reference.source}` leaves the file", node, path, reference)
        here = path[: len(path) - reference.up] if reference.up else ()
        current = self.at(here)
        resolved = False
        for i, segment in enumerate(reference.segments):
            if not resolved and isinstance(current.value, str) and id(current) in self.dynamic:
                found = yield here, current
                if found is None:
                    return None
                resolved, current = True, found
            child = _child(current, segment)
            if child is None:
                error = missing_segment(reference, i, self.root, here, current, path)
                raise _MissingError(error)
            key, current = child
            here = (*here, key)
        if not resolved and id(current) in self.dynamic:
            found = yield here, current
            if found is None:
                return None
            current = found
        return replaced(current, references=(Hop(reference.source, here),))

    def at(self, path: ConfigPath) -> Node:
        node = self.root
        for part in path:
            child = _child(node, part)
            assert child is not None
            node = child[1]
        return node

    def cycle_error(self, first: ConfigPath, waiting: list[ConfigPath]) -> ConfigError:
        """The whole loop, each hop with its place."""
        loop = waiting[waiting.index(first) :]
        hops = [(path, node) for path in loop if is_dynamic(node := self.at(path))]
        start, node = hops[0]
        names = [format_config_path(path) for path, _ in hops[:MAX_SHOWN_HOPS]]
        hidden = len(hops) - len(names)
        shown = [*names, *([f"… {hidden} more …"] if hidden else []), names[0]]
        return ConfigError(
            f"references go in a circle: {' → '.join(shown)}",
            code="OT0242",
            config_path=start,
            span=node.span,
            notes=[
                Note(f"{name}: {shorten(str(hop.value))}", hop.span)
                for name, (_, hop) in zip(names[1:], hops[1:], strict=False)
            ],
        )


class _MissingError(Exception):
    """A reference names nothing; its default, if it has one, takes over."""

    def __init__(self, error: ConfigError) -> None:
        self.error = error


def _child(node: Node, segment: str | int) -> tuple[str | int, Node] | None:
    """A field or item, with its proper key: text digits index a list."""
    value = node.value
    if isinstance(value, dict):
        key = str(segment)
        field = value.get(key)
        return (key, field) if field is not None else None
    if not isinstance(value, list):
        return None
    if not _INDEX.fullmatch(str(segment)):
        return None
    index = int(segment)
    index = index + len(value) if index < 0 else index
    return (index, value[index]) if 0 <= index < len(value) else None


def _placed(result: Node, node: Node) -> Node:
    """A result as the value of the field that the expression stands in."""
    # A relative path means what it means where it was written, which may be another file.
    origin = Origin(node.origin.name, result.origin.folder, node.origin.layer)
    return Node(
        result.value,
        origin,
        node.span,
        node.key_span,
        result.text,
        node.history,
        describe(node),
        result.references,
        result.secret,
    )


def _inserted(found: Node, reference: Reference, node: Node, path: ConfigPath) -> str:
    if isinstance(found.value, dict | list):
        raise _error(
            "OT0246",
            f"`{reference.source}` is {kind(found)} and cannot be part of a text",
            node,
            path,
            reference,
        )
    if found.value is None or isinstance(found.value, bool) or found.text is None:
        return write_scalar(found.value)
    return found.text


def _error(
    code: str, message: str, node: Node, path: ConfigPath, reference: Reference | None = None
) -> ConfigError:
    span = _reference_span(node, reference) if reference else node.span
    return ConfigError(message, code=code, config_path=path, span=span)


def _reference_span(node: Node, reference: Reference) -> Span | None:
    return _part_span(node, reference.start, reference.end)


def _part_span(node: Node, start: int, end: int) -> Span | None:
    """The part of a scalar's span that holds an expression, where it can be told exactly."""
    span = node.span
    if span is None or span.line != span.end_line or not isinstance(node.value, str):
        return span
    quotes = (span.end_column - span.column - len(node.value)) / 2
    if quotes not in (0, 1):
        return span
    first = span.column + int(quotes)
    return Span(span.file, span.line, first + start, span.line, first + end)
