"""Compiles the ``model:`` and ``models:`` sections of a resolved configuration to graph IR.

Knows the shape of these sections and nothing of any component: which keys exist, and what they
accept, is the registry's business. Imports no framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from model_constructor.config.schema import Settings
from model_constructor.errors import ConfigPath, raise_collected
from model_constructor.graph.dataflow import compile_dataflow
from model_constructor.graph.ir import GraphIR
from model_constructor.graph.problems import CallCheck, Problems
from model_constructor.graph.sequential import compile_sequential
from model_constructor.graph.start import START_KEYS, read_start
from model_constructor.source_map import SourceMap

FORMS = {"sequential": compile_sequential, "graph": compile_dataflow}


def compile_ir(
    section: Mapping[str, Any],
    *,
    name: str = "model",
    path: ConfigPath = ("model",),
    sources: SourceMap | None = None,
    settings: Settings | None = None,
    targets_allowed: bool = False,
) -> GraphIR:
    """Compile one model section.

    Args:
        section: ``{"sequential": ...}`` or ``{"graph": ...}``, resolved.
        name: The model's name.
        path: Where the section stands in the configuration.
        sources: Where its values came from, for errors and for the lines of tracebacks.
        settings: The config's settings.
        targets_allowed: The caller's permission for ``_target_``.

    Raises:
        ConfigError: Everything that is wrong with the section, at once.

    >>> graph = compile_ir({"sequential": {"inputs": ["x"], "layers": [{"_type_": "nn.ReLU"}]}})
    >>> graph.nodes[0].call
    'module:layer_0'
    """
    problems = Problems(sources or SourceMap())
    graph = _compile(section, name, path, problems)
    raise_collected(problems.errors)
    return _permitted(graph, settings, targets_allowed)


def compile_all(
    data: Mapping[str, Any],
    sources: SourceMap | None = None,
    *,
    settings: Settings | None = None,
    targets_allowed: bool = False,
    check_call: CallCheck = lambda node: (),
) -> dict[str, GraphIR]:
    """Compile every model of a resolved configuration.

    Args:
        data: The whole configuration, with ``model`` or ``models``.
        sources: Where its values came from.
        settings: The config's settings.
        targets_allowed: The caller's permission for ``_target_``.
        check_call: What is wrong with a node's call, for a caller that knows components.

    Returns:
        The models by name; a single one is called ``model``.

    Raises:
        ConfigError: Everything that is wrong with any of them, at once.
    """
    problems = Problems(sources or SourceMap(), check_call)
    graphs: dict[str, GraphIR] = {}
    if "model" in data and "models" in data:
        problems.add("OT0401", "`model` and `models` exclude each other", ("models",), at_key=True)
    elif "model" in data:
        graphs["model"] = _compile(data["model"], "model", ("model",), problems)
    elif "models" in data:
        sections = problems.mapping(data["models"], ("models",), "model names to models")
        for name, section in sections.items():
            path: ConfigPath = ("models", name)
            problems.name(name, path, "a model", at_key=True)
            graphs[name] = _compile(section, name, path, problems)
    else:
        problems.add("OT0403", "`model` is missing", ())
    raise_collected(problems.errors)
    return {n: _permitted(graph, settings, targets_allowed) for n, graph in graphs.items()}


def _permitted(graph: GraphIR, settings: Settings | None, targets_allowed: bool) -> GraphIR:
    """The graph with what building it may do."""
    return replace(graph, settings=settings or Settings(), targets_allowed=targets_allowed)


def _compile(section: object, name: str, path: ConfigPath, problems: Problems) -> GraphIR:
    known = problems.mapping(section, path, "either `sequential` or `graph`")
    problems.check_keys(known, path, (*FORMS, *START_KEYS))
    forms = [form for form in FORMS if form in known]
    if len(forms) == 1:
        form_path = (*path, forms[0])
        inner = problems.mapping(known[forms[0]], form_path, "the model's parts")
        graph = FORMS[forms[0]](inner, name, form_path, problems)
        start = read_start(known, path, problems)
        return replace(graph, start=start, sources=problems.sources)
    if isinstance(section, Mapping):
        problems.add(
            "OT0401",
            f"a model is either `sequential` or `graph`, got {' and '.join(forms) or 'neither'}",
            path,
        )
    return GraphIR(name, (), {}, (), (), "single", path, problems.span(path))
