"""Former names of the config's own keys: `RENAMED` is the one table of them.

Each file is brought up to date before it is merged, so that a base file and an experiment may
use different names; then once more what the command line set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_constructor.config.nodes import Node, over, replaced
from model_constructor.errors import ConfigError, ConfigPath, Note, Span
from model_constructor.findings import Findings


@dataclass(frozen=True, slots=True)
class PresentKey:
    """The present name of a key, and the version that renamed it."""

    name: str
    since: str


Renamed = Mapping[ConfigPath, PresentKey]

RENAMED: Renamed = {}
"""Path with the former key at its end → its present name, such as
``{("run", "output"): PresentKey("out_dir", "0.2")}``."""


def present_keys(
    root: Node, warnings: list[Note], findings: Findings, renamed: Renamed = RENAMED
) -> Node:
    """The tree with former keys replaced.

    Args:
        root: One file, or all layers merged.
        warnings: Receives a note for each former key.
        findings: Takes the error of a file that uses both names.
        renamed: The table.
    """
    for path, present in renamed.items():
        field = field_at(root, path)
        if field is not None:
            text = f"`{path[-1]}` is called `{present.name}` since {present.since}"
            warnings.append(Note(text + way_out(field.key_span), field.key_span))
            root = _renamed(root, path, 0, present.name, findings)
    return root


def way_out(span: Span | None, options: str = "") -> str:
    """What rewrites a former name, to follow what is said of it; nothing but a file is rewritten.

    Args:
        span: Where the name stands.
        options: What the command needs to know the name.
    """
    in_file = span is not None and not span.file.startswith("<")
    return f"; `ot config migrate{options}` rewrites it" if in_file else ""


def field_at(root: Node, path: ConfigPath) -> Node | None:
    """The field at a path of keys, if it is there."""
    node: Node | None = root
    for name in path:
        fields = node.value if node is not None else None
        node = fields.get(str(name)) if isinstance(fields, dict) else None
    return node


def _renamed(node: Node, path: ConfigPath, at: int, name: str, findings: Findings) -> Node:
    assert isinstance(node.value, dict)
    old = str(path[at])
    field = node.value[old]
    if at < len(path) - 1:
        inner = _renamed(field, path, at + 1, name, findings)
        return replaced(node, value={**node.value, old: inner})
    field = _later(field, node.value.get(name), path, name, findings)
    fields = {
        name if key == old else key: field if key in (old, name) else other
        for key, other in node.value.items()
    }
    return replaced(node, value=fields)


def _later(
    field: Node, other: Node | None, path: ConfigPath, name: str, findings: Findings
) -> Node:
    """Of a field under both its names the one from the later layer."""
    if other is None:
        return field
    if other.origin.layer == field.origin.layer:
        error = ConfigError(
            f"`{path[-1]}` and `{name}` are two names of one key",
            code="OT0123",
            config_path=path,
            span=field.key_span or field.span,
            label=f"called `{name}` now",
            notes=[Note(f"`{name}` is given here", other.key_span or other.span)],
            help=f"keep `{name}` and remove the other",
        )
        findings.add([error])
        return other
    first, last = sorted((field, other), key=lambda node: node.origin.layer)
    return over(first, last)
