"""The graph IR: what a ``model:`` section means, independent of any framework.

Made by `model_constructor.graph.compiler.compile_ir`, consumed by an engine's builder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from model_constructor.config.schema import Settings
from model_constructor.errors import ConfigPath, Span
from model_constructor.source_map import SourceMap

ReturnPolicy = Literal["single", "tuple", "dict"]

WEIGHTS = "weights"
"""Stands for an ``init`` without patterns: every parameter with two dimensions or more."""


@dataclass(frozen=True, slots=True)
class Ref:
    """``$name`` in a node's arguments: an input of the model or an earlier node's value."""

    name: str


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """A submodule, built once however often it is called."""

    name: str
    spec: Mapping[str, Any]
    config_path: ConfigPath
    span: Span | None


@dataclass(frozen=True, slots=True)
class Node:
    """One call in the forward pass.

    Attributes:
        name: The value's name, for later ``$name``.
        call: ``module:<name>`` or ``op:<name>``.
        args: Positional arguments; a `Ref` wherever the YAML had ``$name``, at any depth.
        kwargs: Keyword arguments, likewise.
    """

    name: str
    call: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    config_path: ConfigPath
    span: Span | None


@dataclass(frozen=True, slots=True)
class Start:
    """How the parameters of a model start.

    Attributes:
        init: (pattern of parameter names, spec, its config path); the first that fits wins.
        pretrained: The spec of what loads weights, applied after ``init``.
        freeze: Patterns of the parameters that are not trained.
        config_path: Where the model's section stands.
    """

    init: tuple[tuple[str, Mapping[str, Any], ConfigPath], ...] = ()
    pretrained: Mapping[str, Any] | None = None
    freeze: tuple[str, ...] = ()
    config_path: ConfigPath = ()


@dataclass(frozen=True, slots=True)
class GraphIR:
    """A whole model.

    Attributes:
        name: ``model``, or its name under ``models:``.
        inputs: Names of the forward's parameters, in order.
        modules: Submodules by name, in the order of the YAML.
        nodes: In the order of execution.
        outputs: (key, value) pairs; keys are ``"0"``, ``"1"``… unless the YAML names them.
        returns: Whether the forward returns one value, a tuple or a dict.
        start: How the parameters start.
        sources: Places and typed text of the config's values.
        settings: The config's settings.
        targets_allowed: The caller's permission for ``_target_``.
    """

    name: str
    inputs: tuple[str, ...]
    modules: Mapping[str, ModuleSpec]
    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, Ref], ...]
    returns: ReturnPolicy
    config_path: ConfigPath = ("model",)
    span: Span | None = None
    start: Start = field(default_factory=Start)
    sources: SourceMap = field(default_factory=SourceMap, compare=False)
    settings: Settings = field(default_factory=Settings)
    targets_allowed: bool = False
