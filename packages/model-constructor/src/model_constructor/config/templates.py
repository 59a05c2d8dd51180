"""`_template_: name`: the mapping `templates.name` deep-merged under a node; the node wins."""

from __future__ import annotations

from dataclasses import dataclass

from model_constructor.config.merge import Merger
from model_constructor.config.nodes import (
    MAX_DEPTH,
    MAX_NODES,
    Node,
    depth_error,
    describe,
    kind,
    replaced,
    size_error,
)
from model_constructor.errors import (
    ConfigError,
    ConfigPath,
    Note,
    close_matches,
)
from model_constructor.findings import Findings

TEMPLATE = "_template_"


def expand_templates(root: Node, findings: Findings) -> Node:
    """The tree without `templates` and `_template_`.

    Args:
        findings: Takes what is wrong: unknown or malformed templates, or templates that use each
            other in a circle.

    Raises:
        ConfigError: The templates make the tree too deep or too large.
    """
    assert isinstance(root.value, dict)
    section = root.value.get("templates")
    errors: list[ConfigError] = []
    templates: dict[str, Node] = {}
    if section is not None and isinstance(section.value, dict):
        templates = section.value
    elif section is not None and section.value is not None:
        errors.append(
            ConfigError(
                f"`templates` must be a mapping, got {kind(section)}",
                code="OT0232",
                config_path=("templates",),
                span=section.span,
            )
        )
    expansion = _Expansion(templates, errors)
    for name, template in templates.items():
        expansion.template(name, template)
    rest = {key: node for key, node in root.value.items() if key != "templates"}
    expanded = expansion.expand(replaced(root, value=rest), ())
    findings.add([*errors, *expansion.merger.errors], unknown=expansion.unknown)
    return expanded


@dataclass(frozen=True, slots=True)
class _Expanded:
    """A template without further templates in it, and how large it is."""

    node: Node
    size: int
    height: int


class _Expansion:
    def __init__(self, templates: dict[str, Node], errors: list[ConfigError]) -> None:
        self.templates = templates
        self.errors = errors
        self.merger = Merger()
        self.unknown: set[ConfigPath] = set()
        self.done: dict[str, _Expanded] = {}
        self.using: list[tuple[str, Node]] = []
        self.count = 0
        self.depth = 0

    def template(self, name: str, user: Node) -> _Expanded | None:
        """The expanded template; None, with an error noted, if it cannot be had."""
        if name in self.done:
            return self.done[name]
        if any(name == used for used, _ in self.using):
            self.errors.append(self.cycle_error(name, user))
            return None
        self.using.append((name, user))
        node = self.expand(self.templates[name], ("templates", name))
        self.done[name] = _Expanded(node, *_measure(node))
        self.using.pop()
        return self.done[name]

    def expand(self, node: Node, path: ConfigPath) -> Node:
        if not isinstance(node.value, dict | list):
            return node
        # Counted across templates that use each other, so that a long chain cannot overflow.
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise depth_error(path, node.span)
        try:
            return self.collection(node, node.value, path)
        finally:
            self.depth -= 1

    def collection(self, node: Node, value: dict[str, Node] | list[Node], path: ConfigPath) -> Node:
        if isinstance(value, list):
            items = [self.expand(item, (*path, i)) for i, item in enumerate(value)]
            return replaced(node, value=items)
        fields = {
            key: self.expand(field, (*path, key)) for key, field in value.items() if key != TEMPLATE
        }
        own = replaced(node, value=fields)
        reference = value.get(TEMPLATE)
        template = self.look_up(reference, path) if reference is not None else None
        if template is None:
            if reference is not None:
                self.unknown.add(path)
            return own
        self.count += template.size
        if self.count > MAX_NODES:
            raise size_error(path, node.span)
        if len(path) + template.height > MAX_DEPTH:
            raise depth_error(path, node.span)
        return self.merger.merge(template.node, own, path) or own

    def look_up(self, reference: Node, path: ConfigPath) -> _Expanded | None:
        here = (*path, TEMPLATE)
        name = reference.value
        if not isinstance(name, str):
            message = f"`_template_` needs a template's name, got {describe(reference)}"
            self.errors.append(
                ConfigError(message, code="OT0232", config_path=here, span=reference.span)
            )
            return None
        if name not in self.templates:
            known = ", ".join(self.templates) or "none"
            self.errors.append(
                ConfigError(
                    f"unknown template `{name}`",
                    code="OT0230",
                    config_path=here,
                    span=reference.span,
                    suggestions=close_matches(name, self.templates),
                    help=f"defined under `templates`: {known}",
                )
            )
            return None
        template = self.template(name, reference)
        if template is not None and not isinstance(template.node.value, dict):
            self.errors.append(
                ConfigError(
                    f"template `{name}` must be a mapping, got {kind(template.node)}",
                    code="OT0232",
                    config_path=("templates", name),
                    span=template.node.span,
                    notes=[Note("used here", reference.span)],
                )
            )
            return None
        return template

    def cycle_error(self, name: str, user: Node) -> ConfigError:
        names = [used for used, _ in self.using]
        first = names.index(name)
        hops = [*self.using[first + 1 :], (name, user)]
        chain = " → ".join([*names[first:], name])
        return ConfigError(
            f"templates use each other in a circle: {chain}",
            code="OT0231",
            config_path=("templates", names[-1]),
            span=user.span,
            notes=[
                Note(f"`{names[first + i]}` uses `{used}` here", node.span)
                for i, (used, node) in enumerate(hops)
            ],
        )


def _measure(node: Node) -> tuple[int, int]:
    """Number of nodes and levels of collections in a tree."""
    if isinstance(node.value, dict):
        inner = [_measure(field) for field in node.value.values()]
    elif isinstance(node.value, list):
        inner = [_measure(item) for item in node.value]
    else:
        return 1, 0
    return 1 + sum(size for size, _ in inner), 1 + max((h for _, h in inner), default=0)
