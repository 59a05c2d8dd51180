"""Applying overrides to the merged tree: each is one more layer, merged like a file's.

Templates are expanded later. So that an override can name what comes from one, its way down is
followed in the templates as well (`lower`): a list is taken over from there, for lists replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_constructor.config.containers import is_container, make_container
from model_constructor.config.merge import Merger
from model_constructor.config.nodes import MAX_DEPTH, Node, Origin, describe, kind, over, replaced
from model_constructor.config.overrides import (
    Index,
    Key,
    Match,
    Override,
    override_name,
    parse_override,
)
from model_constructor.config.templates import TEMPLATE
from model_constructor.errors import (
    ConfigError,
    ConfigPath,
    Note,
    close_matches,
    format_config_path,
)
from model_constructor.findings import Findings

FREE_FORM_SECTIONS = ("params", "templates")


def apply_overrides(
    root: Node,
    arguments: Sequence[str],
    *,
    folder: str,
    first_layer: int,
    merger: Merger,
    findings: Findings,
) -> Node:
    """The tree with all arguments applied, in order.

    Args:
        folder: The current folder, which relative paths in arguments start from.
        first_layer: The layer number of the first argument.
        merger: Collects warnings.
        findings: Takes whatever is wrong with any of the arguments; such an argument changes
            nothing.
    """
    for i, text in enumerate(arguments):
        origin = Origin(override_name(i + 1), folder, first_layer + i)
        try:
            override = parse_override(text, origin)
            root = _Application(override, merger).apply(root)
        except ConfigError as error:
            findings.add([error])
        findings.add(merger.errors)
        merger.errors.clear()
    return root


class _Application:
    """One override on its way down the tree."""

    def __init__(self, override: Override, merger: Merger) -> None:
        self.override = override
        self.merger = merger
        self.templates: dict[str, Node] = {}

    def apply(self, root: Node) -> Node:
        name = str(self.override.segments[0])
        if name == "defaults":
            raise self.error("OT0221", "`defaults` cannot be overridden: includes come first", 0)
        assert isinstance(root.value, dict)
        section = root.value.get("templates")
        if section is not None and isinstance(section.value, dict):
            self.templates = section.value
        return self.descend(root, [], 0, (), False) or root

    def descend(
        self, node: Node | None, lower: list[Node], i: int, path: ConfigPath, defer: bool
    ) -> Node | None:
        """The node with the override applied below it; None if that deletes it.

        Args:
            lower: What templates will put under the node, the winning one first.
        """
        if i == len(self.override.segments):
            return self.finish(node, lower, path, defer)
        if node is not None and is_container(node):
            # It waits for its template; what it holds can still be changed.
            assert isinstance(node.value, dict)
            inner = self.descend(node.value.get("_value_"), [], i, path, defer)
            mode = str(node.value["_merge_"].value)
            mode = "replace" if mode == "delete" else mode
            return make_container(mode, inner, node) if inner is not None else None
        segment = self.override.segments[i]
        seen = node if node is not None or not lower else lower[0]
        value = seen.value if seen is not None else None
        if isinstance(value, list):
            assert seen is not None
            return self.into_list(node or self.taken_over(seen, i), value, i, path)
        if not isinstance(segment, Key):
            wanted = "no list here" if seen is None else f"{kind(seen)}, not a list"
            raise self.error("OT0221", f"`{self.spelled(i)}` is {wanted}", i, base=seen)
        if value is not None and not isinstance(value, dict):
            assert seen is not None
            message = f"`{self.spelled(i)}` is {kind(seen)} ({describe(seen)}) and has no keys"
            raise self.error("OT0221", message, i, base=seen)
        return self.into_mapping(node, lower, segment, i, path, defer)

    def into_mapping(
        self,
        node: Node | None,
        lower: list[Node],
        segment: Key,
        i: int,
        path: ConfigPath,
        defer: bool,
    ) -> Node:
        name = segment.name
        fields = dict(node.value) if node is not None and isinstance(node.value, dict) else {}
        given = [each for one in [node, *lower] if one is not None for each in self.fields_of(one)]
        found = [each[name] for each in given if name in each]
        if not found:
            known = {key: field for each in reversed(given) for key, field in each.items()}
            self.check_may_be_added(known, name, i, path)
        child = self.descend(
            fields.get(name),
            found[name in fields :][:MAX_DEPTH],
            i + 1,
            (*path, name),
            defer or TEMPLATE in fields,
        )
        if child is None:
            fields.pop(name, None)
        elif child.origin is self.override.origin:
            fields[name] = replaced(child, key_span=segment.span)
        else:
            fields[name] = child
        if node is not None:
            return replaced(node, value=fields)
        return Node(fields, self.override.origin, span=segment.span)

    def fields_of(self, node: Node) -> Iterator[dict[str, Node]]:
        """The fields of a node, then those of the template that it uses, and of that one's."""
        for _ in range(MAX_DEPTH):  # a longer chain, or a circle, is refused later
            if not isinstance(node.value, dict):
                return
            yield node.value
            used = node.value.get(TEMPLATE)
            template = self.templates.get(str(used.value)) if used is not None else None
            if template is None:
                return
            node = template

    def check_may_be_added(
        self, fields: dict[str, Node], name: str, i: int, path: ConfigPath
    ) -> None:
        """Absent keys are the component's business, except where there is no component."""
        operator = self.override.operator
        free = bool(path) and path[0] in FREE_FORM_SECTIONS
        if operator in ("=", "+=") and not (free and not self.override.force):
            return
        place = f"`{format_config_path(path)}`" if path else "the configuration"
        help = ""
        if operator == "=":
            help = f"to add it, write ++{format_config_path(self.override.path)}=…"
        raise self.error(
            "OT0221",
            f"{place} has no key `{name}`",
            i,
            suggestions=close_matches(name, fields),
            help=help,
        )

    def into_list(self, node: Node, items: list[Node], i: int, path: ConfigPath) -> Node:
        place = self.find(node, items, i)
        child = self.descend(items[place], [], i + 1, (*path, place), False)
        kept = [child] if child is not None else []
        return replaced(node, value=[*items[:place], *kept, *items[place + 1 :]])

    def taken_over(self, node: Node, i: int) -> Node:
        """A template's list as one that this override sets."""
        span = self.override.segments[i - 1].span
        return over(node, replaced(node, origin=self.override.origin, span=span, history=()))

    def find(self, node: Node, items: list[Node], i: int) -> int:
        """The place in the list that the segment names."""
        segment = self.override.segments[i]
        here = self.spelled(i)
        if isinstance(segment, Match):
            places = [k for k, item in enumerate(items) if _has(item, segment)]
            if len(places) == 1:
                return places[0]
            if places:
                numbers = ", ".join(f"[{k}]" for k in places)
                message = f"`{here}` has {len(places)} items with {segment}: {numbers}"
                raise self.error("OT0222", message, i, base=node, help="name one by its index")
            values = _values(items, segment.field)
            message = f"`{here}` has no item with {segment}"
            help = f"items have: {', '.join(values)}" if values else ""
            near = [f"[{segment.field}={v}]" for v in close_matches(segment.text, values)]
            raise self.error("OT0222", message, i, base=node, suggestions=near, help=help)
        text = str(segment.number) if isinstance(segment, Index) else segment.name
        if not text.lstrip("-").isdecimal() or len(text) > 10:
            message = f"`{here}` is a list and has no key `{text}`"
            raise self.error("OT0222", message, i, base=node, help="name an item by its index: [0]")
        number = int(text) + (len(items) if text.startswith("-") else 0)
        if not 0 <= number < len(items):
            message = f"`{here}` has {len(items)} items, so there is no [{text}]"
            help = f"to add one, write {here}+=…"
            raise self.error("OT0222", message, i, base=node, help=help)
        return number

    def finish(
        self, node: Node | None, lower: list[Node], path: ConfigPath, defer: bool
    ) -> Node | None:
        """Do to the node at the end of the path what the operator says."""
        override = self.override
        value = override.value
        if override.operator == "~" or value is None:
            return self.deletion() if lower else None
        if override.operator == "=":
            return self.merger.merge(node, value, path, defer=defer)
        last = len(override.segments) - 1
        if node is None and lower and isinstance(lower[0].value, list):
            node = lower[0]
        fits = node is None or isinstance(node.value, list) or is_container(node)
        if not fits and node and (node.value is not None or override.operator == "-="):
            message = f"`{override.operator}` needs a list, `{self.spelled()}` is {kind(node)}"
            raise self.error("OT0222", message, last, base=node)
        if override.operator == "+=":
            items = value if isinstance(value.value, list) else replaced(value, value=[value])
            return self.merger.merge(
                node, make_container("append", items, value), path, defer=defer
            )
        assert node is not None
        return self.remove(node, value, last)

    def deletion(self) -> Node:
        """What deletes a field that a template will bring."""
        origin, span = self.override.origin, self.override.segments[-1].span
        return Node({"_merge_": Node("delete", origin, span)}, origin, span)

    def remove(self, node: Node, value: Node, last: int) -> Node:
        items = node.value if isinstance(node.value, list) else []
        unwanted = value.value if isinstance(value.value, list) else [value]
        for wanted in unwanted:
            if not any(_covers(item, wanted) for item in items):
                message = f"`{self.spelled()}` has no item {describe(wanted)} to remove"
                raise self.error("OT0222", message, last, base=node)
        kept = [item for item in items if not any(_covers(item, wanted) for wanted in unwanted)]
        return replaced(
            node, value=kept, history=(*node.history, node), span=value.span, origin=value.origin
        )

    def spelled(self, count: int | None = None) -> str:
        """The first segments as one writes them."""
        text = ""
        for segment in self.override.segments[:count]:
            text += f".{segment}" if isinstance(segment, Key) and text else str(segment)
        return text or "the configuration"

    def error(
        self,
        code: str,
        message: str,
        i: int,
        *,
        base: Node | None = None,
        suggestions: Sequence[str] = (),
        help: str = "",
    ) -> ConfigError:
        notes = [Note(f"{kind(base)} here", base.span)] if base is not None and base.span else []
        return ConfigError(
            message,
            code=code,
            config_path=self.override.path,
            span=self.override.segments[i].span,
            suggestions=suggestions,
            notes=notes,
            help=help,
        )


def _has(item: Node, match: Match) -> bool:
    field = item.value.get(match.field) if isinstance(item.value, dict) else None
    if field is None or isinstance(field.value, dict | list):
        return False
    return _same(field.value, match.value) or match.text in (field.value, field.text)


def _values(items: list[Node], field: str) -> list[str]:
    found = [item.value.get(field) for item in items if isinstance(item.value, dict)]
    return [str(node.value) for node in found if node and not isinstance(node.value, dict | list)]


def _covers(item: Node, wanted: Node) -> bool:
    """Whether an item is what is wanted: an equal value, or a mapping with all wanted fields."""
    if isinstance(wanted.value, dict):
        fields = item.value
        return isinstance(fields, dict) and all(
            key in fields and _covers(fields[key], field) for key, field in wanted.value.items()
        )
    if isinstance(wanted.value, list):
        return (
            isinstance(item.value, list)
            and len(item.value) == len(wanted.value)
            and all(_covers(a, b) for a, b in zip(item.value, wanted.value, strict=True))
        )
    return _same(item.value, wanted.value)


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b
