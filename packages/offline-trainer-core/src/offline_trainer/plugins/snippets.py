"""YAML to paste for a component: required parameters to fill in, the others as comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import yaml

from model_constructor.registry import OP_PREFIX, Entry, Registry
from offline_trainer.config.sections import (
    LIST_SECTIONS,
    PER_OPTIMIZER_SECTIONS,
    SINGLE_SECTIONS,
)
from offline_trainer.plugins.problems import command_name

if TYPE_CHECKING:
    from offline_trainer.plugins.describe import Parameter

_SECTION_OF = {
    kind: section for section, kind in {**SINGLE_SECTIONS, **PER_OPTIMIZER_SECTIONS}.items()
}
_LIST_OF = {kind: section for section, kind in LIST_SECTIONS.items()}
_FACTORY_OF = {
    "optim_cls": ("optimizer", "optim_factory"),
    "sched_cls": ("scheduler", "sched_factory"),
}


def snippet_for(key: str, entry: Entry, parameters: Sequence[Parameter], registry: Registry) -> str:
    """How a config, or the command line, uses a component.

    Args:
        key: The key as it was asked for, with its ``@distribution`` if it has one.
        entry: Its entry.
        parameters: Its parameters.
        registry: Where the factory of an optimizer or schedule class is looked up.
    """
    kind = entry.kind
    command = command_name(entry.key)
    if command is not None:
        return f"# at the command line:\not {command} --help"
    if kind == "op":
        names = [f"${parameter.name}" for parameter in parameters if parameter.default is None]
        arguments = ", ".join(names) or "$x"
        name = entry.key[len(OP_PREFIX) :]
        node = f'{{name: {name}, call: "{key}", args: [{arguments}]}}'
        return _nested(["model", "graph", "nodes"], [f"- {node}"])
    if kind in _FACTORY_OF:
        section, factory_kind = _FACTORY_OF[kind]
        # The factory gives the first argument: the parameters to train, the optimizer.
        values = _values(parameters[1:])
        if values and all(line.startswith("#") for line in values):
            # A block of comments only would be no mapping; a default written out changes nothing.
            values[0] = values[0].removeprefix("# ")
        kwargs = ["kwargs:", *_indented(values)] if values else []
        factory = _factory(factory_kind, entry, registry)
        return _nested([section], [f"_type_: {factory}", f"type: {key}", *kwargs])
    spec = [f"_type_: {key}", *_values(parameters)]
    if kind in _LIST_OF:
        return _nested([_LIST_OF[kind]], _item(spec))
    if kind in _SECTION_OF:
        return _nested([_SECTION_OF[kind]], spec)
    if kind == "transform":
        return _nested(["data", "transforms"], _item(spec))
    if kind in ("nn", "block", "layer"):
        return _nested(["model", "sequential", "layers"], _item(spec))
    return "\n".join(spec)


def _values(parameters: Sequence[Parameter]) -> list[str]:
    required = [p for p in parameters if p.default is None]
    optional = [p for p in parameters if p.default is not None and p.plain]
    lines = [f"{p.name}:  # required{f', {p.type}' if p.type else ''}" for p in required]
    return lines + [f"# {p.name}: {_yaml(p.value)}" for p in optional]


def _yaml(value: object) -> str:
    listed = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(
        listed, default_flow_style=True, width=1_000_000, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("...\n").strip()


def _factory(kind: str, entry: Entry, registry: Registry) -> str:
    factories = [other for other in registry.entries() if other.kind == kind]
    own = [f for f in factories if f.provider.distribution == entry.provider.distribution]
    return (own or factories)[0].key if factories else f"{kind}.…"


def _nested(keys: Sequence[str], lines: Sequence[str]) -> str:
    text = list(lines)
    for key in reversed(keys):
        text = [f"{key}:", *_indented(text)]
    return "\n".join(text)


def _item(lines: Sequence[str]) -> list[str]:
    return [("- " if index == 0 else "  ") + line for index, line in enumerate(lines)]


def _indented(lines: Sequence[str]) -> list[str]:
    return ["  " + line for line in lines]
