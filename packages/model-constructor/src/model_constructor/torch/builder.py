"""Builds torch modules from graph IR."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from model_constructor.call import REPEAT_KEY
from model_constructor.errors import (
    ConfigError,
    ConfigPath,
    Span,
    raise_collected,
)
from model_constructor.graph.failure import PLACE_NAME
from model_constructor.graph.ir import GraphIR, ModuleSpec
from model_constructor.graph.operations import operation_errors
from model_constructor.instantiate import instantiate_value, repetitions
from model_constructor.registry import OP_PREFIX, Entry, Registry
from model_constructor.signatures import Signature, read_signature
from model_constructor.source_map import SourceMap
from model_constructor.torch.codegen import generate_forward
from model_constructor.torch.seeding import own_random_stream
from model_constructor.torch.start import PreparedStart, begin, make_start, train


def build(graph: GraphIR, registry: Registry, *, seed: int = 0) -> nn.Module:
    """Build a model.

    The result is a plain module of a class made for it: submodules are attributes under their
    names in the graph, and ``forward`` is generated code (`model_constructor.torch.codegen`).

    Each submodule is initialised from a random stream of its own, seeded from ``seed``, the
    model's name and the submodule's name. So a change of one layer leaves the bytes of the others
    as they were. torch's own generators are left alone.

    Args:
        graph: From `model_constructor.graph.compiler.compile_ir`.
        registry: Where components and operations are looked up.
        seed: Of the initial weights.

    Raises:
        ConfigError: Everything that is wrong with the components of the model, at once.

    >>> import torch
    >>> from model_constructor import compile_ir, default_registry
    >>> layers = [{"_type_": "nn.Linear", "in_features": 3, "out_features": 2}]
    >>> graph = compile_ir({"sequential": {"inputs": ["x"], "layers": layers}})
    >>> build(graph, default_registry())(torch.zeros(4, 3)).shape
    torch.Size([4, 2])
    """
    place = _Places(graph.sources)
    make = partial(
        instantiate_value,
        registry=registry,
        sources=graph.sources,
        settings=graph.settings,
        targets_allowed=graph.targets_allowed,
    )
    operations = _find_operations(graph, registry, place)
    modules = _build_modules(graph, make, place, seed)
    start = _prepare_start(graph, make, place, seed)
    raise_collected(place.errors)
    _check_module_calls(graph, modules, place)
    raise_collected(place.errors)

    class_name = "".join(part.capitalize() for part in graph.name.split("_")) or "Model"
    attributes = {
        "__doc__": f"The model `{graph.name}`, built from a configuration.",
        "__module__": __name__,
        "_seed_parts": (seed, graph.name),
        "_built_from": (graph, operations),
        "forward": generate_forward(graph, operations),
        **({"train": train} if graph.start.freeze else {}),
    }
    model: nn.Module = type(class_name, (nn.Module,), attributes)()
    for name, module in modules.items():
        model.add_module(name, module)
    begin(model, start)
    return model


class _Places:
    """The errors of a build, each with its place in the YAML."""

    def __init__(self, sources: SourceMap) -> None:
        self.sources = sources
        self.errors: list[ConfigError] = []

    def add(self, code: str, message: str, path: ConfigPath, span: Span | None, help: str) -> None:
        span = self.sources.span(path) or span
        error = ConfigError(message, code=code, config_path=path, span=span, help=help)
        self.errors.append(error)


def _find_operations(
    graph: GraphIR, registry: Registry, place: _Places
) -> dict[str, Callable[..., Any]]:
    operations: dict[str, Callable[..., Any]] = {}
    for node in graph.nodes:
        errors = list(operation_errors(node, registry, place.sources, _signature_of))
        place.errors += errors
        if node.call.startswith(OP_PREFIX) and not errors:
            operations[node.call] = registry.get_module(node.call).target
    return operations


def _signature_of(entry: Entry) -> Signature | None:
    return read_signature(entry.target)


def _build_modules(
    graph: GraphIR, make: Callable[..., Any], place: _Places, seed: int
) -> dict[str, nn.Module]:
    reserved = set(dir(nn.Module())) | {"_seed_parts", "_built_from"}
    modules: dict[str, nn.Module] = {}
    for name, item in graph.modules.items():
        path = item.config_path
        if name in reserved:
            place.add(
                "OT0421", f"a module cannot be called `{name}`", path, item.span,
                help="every torch module has an attribute of this name; choose another",
            )  # fmt: skip
            continue
        try:
            with own_random_stream(seed, graph.name, name):
                parts = [
                    make(item.spec, path=path, made=_remember_place)
                    for _ in range(repetitions(item.spec))
                ]
        except ConfigError as error:
            place.errors.append(error if error.span else error.located((), item.span))
            continue
        if all(isinstance(part, nn.Module) for part in parts):
            modules[name] = nn.Sequential(*parts) if REPEAT_KEY in item.spec else parts[0]
        else:
            made = type(parts[0]).__name__
            place.add(
                "OT0422", f"{_key_of(item)} made a {made}, not a torch.nn.Module",
                path, item.span, help="call a function as `op:<name>`",
            )  # fmt: skip
    return modules


def _remember_place(part: Any, path: ConfigPath) -> None:
    """Let an error inside a layer, however deep in a block, find its place in the YAML."""
    if isinstance(part, nn.Module):
        vars(part)[PLACE_NAME] = path


def _prepare_start(
    graph: GraphIR, make: Callable[..., Any], place: _Places, seed: int
) -> PreparedStart | None:
    def made(spec: Mapping[str, Any], path: ConfigPath, kind: str) -> Any:
        return make(spec, path=path, kind=kind)

    try:
        return make_start(graph.start, made, (seed, graph.name), graph.sources)
    except ConfigError as error:
        place.errors.append(error)
        return None


def _check_module_calls(graph: GraphIR, modules: dict[str, nn.Module], place: _Places) -> None:
    """Check the arguments of every module's calls against its forward."""
    for node in graph.nodes:
        if node.call.startswith(OP_PREFIX):
            continue
        name = node.call.partition(":")[2]
        try:
            signature = inspect.signature(modules[name].forward)
        except (TypeError, ValueError):
            continue  # some built-in functions do not tell
        try:
            signature.bind(*node.args, **node.kwargs)
        except TypeError as error:
            what = f"node `{node.name}` cannot call {node.call} ({_key_of(graph.modules[name])})"
            help = f"it takes {', '.join(map(str, signature.parameters.values())) or 'nothing'}"
            place.add("OT0420", f"{what}: {error}", node.config_path, node.span, help)


def _key_of(item: ModuleSpec) -> str:
    return str(item.spec.get("_type_") or item.spec.get("_target_"))
