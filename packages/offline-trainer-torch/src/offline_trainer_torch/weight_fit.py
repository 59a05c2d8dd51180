"""Compares weights with the models that a config describes, which are built and not trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from model_constructor.torch.builder import build
from model_constructor.torch.lazy import initialise_lazy
from offline_trainer.errors import StateMismatchError
from offline_trainer.experiment import prepare
from offline_trainer.shape_check import check_shapes
from offline_trainer_torch.host_tensors import DTYPES
from offline_trainer_torch.shapes import on_meta

MOST_SHOWN = 20
RENAME = "rename with --map OLD=NEW; with nothing after the =, a tensor is left out"
CONVERT = "a run has the dtypes and shapes of its config: change that, or convert the file"
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def models_of(config: str) -> dict[str, nn.Module]:
    """The models of a config, without memory for their numbers.

    Sizes that the YAML leaves open come from the first batch of its data; without data they stay
    open.

    Raises:
        ConfigError: The config is wrong.
    """
    prepared = prepare(config, model_alone=True)
    models = on_meta(
        lambda: {name: build(graph, prepared.registry) for name, graph in prepared.graphs.items()}
    )
    if "data" in prepared.data and any(map(_has_open_sizes, models.values())):
        for name, inputs in check_shapes(prepared).trace.inputs.items():
            initialise_lazy(models[name], **inputs)
    return models


def require_fit(
    values: Mapping[str, Any], models: Mapping[str, nn.Module], file: str, names: Collection[str]
) -> None:
    """Compare names, dtypes and shapes.

    Args:
        values: Name → tensor or extra state, each name with its model's in front.
        models: By name.
        file: Where the values are from.
        names: Those that the file has.

    Raises:
        StateMismatchError: It lists what is missing, unexpected, different.
    """
    wanted = {
        f"{name}.{key}": value
        for name, model in models.items()
        for key, value in model.state_dict(keep_vars=True).items()
    }
    missing = [_shown(name, wanted[name]) for name in wanted if name not in values]
    unexpected = [_shown(name, values[name]) for name in values if name not in wanted]
    different = [
        f"{name} is {_form(values[name])}, the model has {_form(wanted[name])}"
        for name in wanted
        if name in values and not _fits(values[name], wanted[name])
    ]
    problems = [
        *_section("missing in the file", missing),
        *_section("only in the file", unexpected),
        *_section("different", different),
    ]
    if problems:
        renames = bool(missing or unexpected)
        raise StateMismatchError(
            "\n".join([f"{file} does not fit the config; nothing is written", *problems]),
            help=_rule(names, models) or RENAME if renames else CONVERT,
        )


def _rule(names: Collection[str], models: Mapping[str, nn.Module]) -> str:
    """What would make the names of a file fit, if they differ by their first word alone."""
    first = next(iter(names)).partition(".")[0]
    if not all(name.startswith(f"{first}.") for name in names):
        return ""
    rests = {name.removeprefix(f"{first}.") for name in names}
    for name, model in models.items():
        if rests == set(model.state_dict(keep_vars=True)):
            return f"the names fit with --map '{first}.*={name}.*'"
    return ""


def _has_open_sizes(model: nn.Module) -> bool:
    return any(is_lazy(each) for each in chain(model.parameters(), model.buffers()))


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, torch.Tensor) and is_lazy(wanted):
        return isinstance(value, torch.Tensor)
    return _form(value) == _form(wanted)


def _form(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return "no tensor"
    shape = "of open size" if is_lazy(value) else str(tuple(value.shape))
    return f"{_NAMES.get(value.dtype, value.dtype)} {shape}"


def _shown(name: str, value: Any) -> str:
    return f"{name} {_form(value)}"


def _section(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = len(lines) - MOST_SHOWN
    shown = [f"  {title}: {len(lines)}", *(f"    {line}" for line in lines[:MOST_SHOWN])]
    return [*shown, f"    … and {more} more"] if more > 0 else shown
