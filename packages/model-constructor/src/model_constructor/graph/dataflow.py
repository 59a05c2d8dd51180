"""Compiles ``model.graph``: named modules, the calls between them, and the outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from model_constructor.errors import ConfigPath, Note, close_matches
from model_constructor.graph.drafts import Draft, read_drafts
from model_constructor.graph.ir import GraphIR, ModuleSpec, Node, Ref, ReturnPolicy
from model_constructor.graph.ports import read_inputs, read_return
from model_constructor.graph.problems import Problems, Section
from model_constructor.graph.references import read_argument, references

_KEYS = ("inputs", "modules", "nodes", "order", "steps", "outputs", "return")


def compile_dataflow(section: Section, name: str, path: ConfigPath, problems: Problems) -> GraphIR:
    """A directed acyclic graph, its nodes written in the order in which they run."""
    problems.check_keys(section, path, _KEYS)
    inputs = read_inputs(section, path, problems)
    modules = _read_modules(section.get("modules"), (*path, "modules"), problems)
    drafts = read_drafts(section, path, inputs, problems)
    nodes = tuple(_read_node(draft, modules, problems) for draft in drafts)
    for node in nodes:
        problems.check_call(node)
    # A node whose name or call could not be read must not make errors of those that depend on it.
    values: list[str] | None = None
    if nodes and all(node.name for node in nodes):
        values = [*inputs, *(node.name for node in nodes)]
        _check_references(inputs, nodes, problems)
    if nodes and all(node.call for node in nodes):
        _check_unused(modules, nodes, (*path, "modules"), problems)
    outputs, returns = _read_outputs(section, path, values, problems)
    return GraphIR(name, inputs, modules, nodes, outputs, returns, path, problems.span(path))


def _read_modules(value: object, path: ConfigPath, problems: Problems) -> dict[str, ModuleSpec]:
    if value is None:
        return {}
    modules = {}
    for name, item in problems.mapping(value, path, "names to specs").items():
        module_path = (*path, name)
        problems.name(name, module_path, "a module", at_key=True)
        spec = problems.spec(item, module_path)
        modules[name] = ModuleSpec(name, spec, module_path, problems.span(module_path))
    return modules


def _read_node(draft: Draft, modules: Mapping[str, ModuleSpec], problems: Problems) -> Node:
    path, call = draft.path, ""
    section = {} if draft.section is None else draft.section
    if draft.section is not None and problems.required(section, "call", path):
        call = _read_call(section["call"], (*path, "call"), modules, problems)
    args: list[Any] = []
    if section.get("args") is not None:
        values = problems.sequence(section["args"], (*path, "args"), "positional arguments")
        args = read_argument(values, (*path, "args"), problems)
    kwargs: dict[str, Any] = {}
    if section.get("kwargs") is not None:
        named = problems.mapping(section["kwargs"], (*path, "kwargs"), "keyword arguments")
        for key in named:
            problems.name(key, (*path, "kwargs", key), "a keyword argument", at_key=True)
        kwargs = read_argument(named, (*path, "kwargs"), problems)
    return Node(draft.name, call, tuple(args), kwargs, path, problems.span(path))


def _read_call(
    value: object, path: ConfigPath, modules: Mapping[str, ModuleSpec], problems: Problems
) -> str:
    """The call, or nothing where it is wrong."""
    call = problems.text(value, path, "`module:<name>` or `op:<name>`")
    kind, _, target = call.partition(":")
    if call and (kind not in ("module", "op") or not target):
        problems.add(
            "OT0407",
            f"call {call!r} is neither `module:<name>` nor `op:<name>`",
            path,
            suggestions=[f"module:{call}"] if call in modules else (),
        )
        return ""
    if kind == "module" and target not in modules:
        problems.add(
            "OT0408",
            f"`modules` has no `{target}`",
            path,
            suggestions=[f"module:{name}" for name in close_matches(target, modules)],
        )
        return ""
    return call


def _check_references(inputs: Iterable[str], nodes: Sequence[Node], problems: Problems) -> None:
    later = {node.name: node for node in reversed(nodes) if node.name}
    earlier = set(inputs)
    for node in nodes:
        for part, value in (("args", node.args), ("kwargs", node.kwargs)):
            for path, name in references(value, (*node.config_path, part)):
                if name not in earlier:
                    _unreadable(node, name, path, later, [*earlier, *later], problems)
        earlier.add(node.name)


def _unreadable(
    node: Node,
    name: str,
    path: ConfigPath,
    nodes: Mapping[str, Node],
    known: Iterable[str],
    problems: Problems,
) -> None:
    if name == node.name:
        problems.add("OT0410", f"node `{name}` reads its own value", path)
    elif name in nodes:
        problems.add(
            "OT0410",
            f"node `{node.name}` reads `${name}`, but node `{name}` comes after it",
            path,
            notes=[Note(f"`{name}` is computed here", nodes[name].span)],
            help=f"move `{name}` above `{node.name}`; a graph has no loops",
        )
    else:
        problems.add(
            "OT0409",
            f"node `{node.name}` reads `${name}`, which is neither an input nor a node",
            path,
            suggestions=[f"${match}" for match in close_matches(name, known)],
        )


def _check_unused(
    modules: Iterable[str], nodes: Iterable[Node], path: ConfigPath, problems: Problems
) -> None:
    called = {node.call for node in nodes}
    for name in modules:
        if f"module:{name}" not in called:
            problems.add(
                "OT0412",
                f"no node calls module `{name}`",
                (*path, name),
                at_key=True,
                help=f"call it with `call: module:{name}`, or remove it",
            )


def _read_outputs(
    section: Section, path: ConfigPath, values: Sequence[str] | None, problems: Problems
) -> tuple[tuple[tuple[str, Ref], ...], ReturnPolicy]:
    """The outputs, and how they are returned; ``values`` is None where nodes are unknown."""
    returns = read_return(section, path, problems)
    if not problems.required(section, "outputs", path):
        return (), returns or "single"
    outputs_path = (*path, "outputs")
    outputs = section["outputs"]
    if isinstance(outputs, Mapping):
        named = problems.mapping(outputs, outputs_path, "names to `$name`")
        pairs = [
            (key, Ref(_read_output(value, (*outputs_path, key), values, problems)))
            for key, value in named.items()
        ]
        returns = returns or "dict"
    else:
        refs = [
            Ref(_read_output(value, (*outputs_path, index), values, problems))
            for index, value in enumerate(
                problems.sequence(outputs, outputs_path, "`$name`, or a mapping")
            )
        ]
        returns = returns or ("single" if len(refs) == 1 else "tuple")
        keys = (ref.name if returns == "dict" else str(i) for i, ref in enumerate(refs))
        pairs = list(zip(keys, refs, strict=True))
        if len(dict(pairs)) < len(pairs):
            problems.add("OT0406", "`return: dict` with the same output twice", outputs_path)
    if not pairs and isinstance(outputs, (list, tuple, Mapping)):
        problems.add("OT0414", "`outputs` is empty", outputs_path)
    elif returns == "single" and len(pairs) > 1:
        problems.add(
            "OT0414",
            f"`return: single` with {len(pairs)} outputs",
            (*path, "return"),
            help="use `return: tuple` or `return: dict`",
        )
    return tuple(pairs), returns


def _read_output(
    value: object, path: ConfigPath, values: Sequence[str] | None, problems: Problems
) -> str:
    text = problems.text(value, path, "`$name` of an input or a node")
    name = text.removeprefix("$")
    if text and values is not None and name not in values:
        problems.add(
            "OT0409",
            f"output {text!r} is neither an input nor a node",
            path,
            suggestions=[f"${match}" for match in close_matches(name, values)],
        )
    return name
