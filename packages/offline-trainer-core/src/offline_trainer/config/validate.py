"""Validation: everything that can be known to be wrong before anything is built or written.

Three stages, each of which reports all it finds at once: the structure of the file, which needs no
component; the components and their signatures; and, once models exist, what depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_constructor.binding import Binder, is_spec
from model_constructor.errors import (
    ConfigError,
    ConfigPath,
    close_matches,
    raise_collected,
)
from model_constructor.graph.operations import operation_errors
from model_constructor.registry import Registry
from offline_trainer.config.sections import (
    LIST_SECTIONS,
    PER_OPTIMIZER_SECTIONS,
    SINGLE_SECTIONS,
    section_specs,
)
from offline_trainer.config.structure import StructureReport, is_supervised
from offline_trainer.notices import notice

if TYPE_CHECKING:
    from model_constructor.config.resolve import ResolvedConfig
    from model_constructor.graph.ir import GraphIR
    from model_constructor.graph.problems import CallCheck

UNKNOWN_COMPONENT = "OT0301"
"""Code of the error about a key that no plugin brings."""


def validate_preflight(resolved: ResolvedConfig, *, sections: bool = True) -> None:
    """Check what needs no component: sections, their shape, imports, pure-data rules.

    Args:
        resolved: The config.
        sections: Ask for every section that an experiment needs.

    Raises:
        ConfigError: Everything found, together.
    """
    report = StructureReport(resolved)
    if sections:
        report.required_sections()
    report.run()
    report.plugins()
    report.models()
    report.section_shapes()
    report.imports()
    report.pure_data()
    report.scheduler_intervals()
    report.secret_names(resolved.secrets)
    raise_collected(report.errors)


def validate_imports(resolved: ResolvedConfig) -> None:
    """Check that the config may import what it names, and no more: for a config of a model alone.

    Raises:
        ConfigError: Everything found, together.
    """
    report = StructureReport(resolved)
    report.imports()
    raise_collected(report.errors)


def bind_components(
    resolved: ResolvedConfig, registry: Registry, *, targets_allowed: bool = False
) -> dict[str, Any]:
    """Check every component of the config against the registry, and type its arguments.

    Returns:
        The resolved data with scalars typed by the parameters that receive them, and with
        absolute input paths.

    Raises:
        ConfigError: Everything found, together: unknown keys, wrong kinds, wrong arguments.
    """
    bound, binder = _bound(resolved, registry, targets_allowed)
    raise_collected(binder.errors)
    for text in binder.warnings:
        notice(text)
    return bound


def as_it_runs(resolved: ResolvedConfig, registry: Registry) -> ResolvedConfig:
    """The config without what a swapped component left behind; other faults are left in it."""
    bound, binder = _bound(resolved, registry)
    for text in binder.warnings:
        notice(text)
    return without_dropped(resolved, bound)


def _bound(
    resolved: ResolvedConfig, registry: Registry, targets_allowed: bool = False
) -> tuple[dict[str, Any], Binder]:
    """The data in its bound form, and the binder, which holds what is wrong with it."""
    kinds = {path: kind for path, kind, _ in section_specs(resolved.data)}
    included_at = {file.name: file.included_at for file in resolved.files if file.included_at}
    binder = Binder(
        registry, resolved.source_map, resolved.settings, targets_allowed, kinds, included_at
    )
    bound = {
        section: _plain(binder.bind(value, (section,))) if section in _BOUND_SECTIONS else value
        for section, value in resolved.data.items()
    }
    return bound, binder


def operation_check(resolved: ResolvedConfig, registry: Registry) -> CallCheck:
    """What `compile_all` asks about a node's call: whether the operation exists and takes it."""
    sources = resolved.source_map
    signature_of = Binder(registry, sources, resolved.settings).signature_of
    return lambda node: operation_errors(node, registry, sources, signature_of)


def without_dropped(resolved: ResolvedConfig, bound: Mapping[str, Any]) -> ResolvedConfig:
    """The resolved config less what binding dropped: what a swapped component left behind."""
    data = _kept(resolved.data, bound)
    secrets = frozenset(path for path in resolved.secrets if _has(data, path))
    return replace(resolved, data=data, secrets=secrets)


def validate_post_model(
    resolved: ResolvedConfig, graphs: Mapping[str, GraphIR], io: Any | None
) -> None:
    """Check what depends on the models: the inputs that ``io`` feeds, the optimizers' names.

    Args:
        resolved: The resolved config.
        graphs: The models' graph IR, by name.
        io: The built io component; checked when it tells its ``model_inputs()``.

    Raises:
        ConfigError: Everything found, together.
    """
    errors: list[ConfigError] = []
    sources = resolved.source_map
    where: ConfigPath
    fed = getattr(io, "model_inputs", None)
    if fed is not None and len(graphs) == 1 and is_supervised(resolved.data):
        (graph,) = graphs.values()
        positional, named = fed()
        if positional > len(graph.inputs):
            where = ("io", "model_args")
            errors.append(
                ConfigError(
                    f"io feeds {positional} positional inputs; the model has {len(graph.inputs)}",
                    code="OT0430",
                    config_path=where,
                    span=sources.span(where),
                    help=f"the model's inputs are {', '.join(graph.inputs)}",
                )
            )
        expected = graph.inputs[positional:]
        for name in named:
            if name in expected:
                continue
            inputs = ", ".join(f"`{known}`" for known in graph.inputs)
            what, help = "which is no input of the model", f"the model's inputs are {inputs}"
            if name in graph.inputs:
                what, help = "which io.model_args feeds already", "remove one of the two"
            where = ("io", "model_kwargs", name)
            errors.append(
                ConfigError(
                    f"io feeds `{name}`, {what}",
                    code="OT0430",
                    config_path=where,
                    span=sources.key_span(where),
                    suggestions=close_matches(name, expected),
                    help=help,
                )
            )
        missing = [name for name in expected if name not in named]
        if missing:
            where = ("io", "model_kwargs") if "model_kwargs" in resolved.data["io"] else ("io",)
            names = ", ".join(f"`{name}`" for name in missing)
            errors.append(
                ConfigError(
                    f"io does not feed {names} of the model",
                    code="OT0431",
                    config_path=where,
                    span=sources.key_span(where),
                    help="add "
                    + ", ".join(
                        f"io.model_kwargs.{name}: [<field of the batch>]" for name in missing
                    ),
                )
            )
    for section in PER_OPTIMIZER_SECTIONS:
        value = resolved.data.get(section)
        if isinstance(value, Mapping) and not is_spec(value):
            errors += [
                ConfigError(
                    f"{section} names `{name}`, which is no model",
                    code="OT0432",
                    config_path=(section, name),
                    span=sources.key_span((section, name)),
                    suggestions=close_matches(name, graphs),
                    help=f"models: {', '.join(graphs)}",
                )
                for name in value
                if name not in graphs
            ]
    optimizer, scheduler = resolved.data.get("optimizer"), resolved.data.get("scheduler")
    trained = (resolved.data.get("objective") or {}).get("model")
    alone = isinstance(optimizer, Mapping) and not is_spec(optimizer) and trained not in optimizer
    if is_supervised(resolved.data) and trained in graphs and alone:
        errors.append(
            ConfigError(
                f"objective.supervised trains `{trained}`, which has no optimizer",
                code="OT0435",
                config_path=("optimizer",),
                span=sources.key_span(("optimizer",)),
                help=f"add optimizer.{trained}, or use one optimizer for all models",
            )
        )
    if isinstance(scheduler, Mapping) and not is_spec(scheduler):
        named = () if is_spec(optimizer) else tuple(optimizer or ())
        errors += [
            ConfigError(
                f"scheduler has an entry for `{name}`, which has no optimizer of its own",
                code="OT0433",
                config_path=("scheduler", name),
                span=sources.key_span(("scheduler", name)),
                help=f"optimizers: {', '.join(named) or 'one for all models'}",
            )
            for name in scheduler
            if name not in named and name in graphs
        ]
    raise_collected(errors)


def validate_with_data(resolved: ResolvedConfig, has_part: Callable[[str], bool]) -> None:
    """Check what depends on the data: a schedule that watches a metric needs validation.

    Args:
        resolved: The resolved config.
        has_part: Whether the data has a part, such as ``val``; asked only if it matters.

    Raises:
        ConfigError: There is nothing to validate on.
    """
    specs = section_specs({"scheduler": resolved.data.get("scheduler")})
    for path, _, spec in specs:
        if spec.get("interval") == "metric" and not has_part("val"):
            where = (*path, "interval")
            raise ConfigError(
                "`interval: metric` needs validation, and the data has no validation part",
                code="OT0434",
                config_path=where,
                span=resolved.source_map.span(where),
                help="give the data one, such as `val_fraction: 0.1`",
            )


_BOUND_SECTIONS = frozenset(
    {"model", "models", *SINGLE_SECTIONS, *PER_OPTIMIZER_SECTIONS, *LIST_SECTIONS}
)


def _kept(value: Any, bound: Any) -> Any:
    """Those parts of a value that are in its bound form."""
    if isinstance(value, dict) and isinstance(bound, dict):
        return {key: _kept(item, bound[key]) for key, item in value.items() if key in bound}
    if isinstance(value, list) and isinstance(bound, list):
        return [_kept(item, kept) for item, kept in zip(value, bound, strict=False)]
    return value


def _has(value: Any, path: ConfigPath) -> bool:
    for part in path:
        if isinstance(value, dict) and part not in value:
            return False
        if isinstance(value, list) and not int(part) < len(value):
            return False
        value = value[part]
    return True


def _plain(value: Any) -> Any:
    """Bound data as what YAML can hold: paths as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
