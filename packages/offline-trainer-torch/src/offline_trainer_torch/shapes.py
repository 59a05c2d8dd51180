"""Sends one batch through the models without training, and notes what every node gives.

Models of ordinary size run for real on the CPU, since torch's meta device lets wrong dtypes pass.
Large ones run on the meta device, which has shapes and no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from model_constructor.torch.shapes import graph_of, watched
from offline_trainer.engine import NodeShape, ShapeTrace
from offline_trainer.protocols import Objective
from offline_trainer_torch.batches import place
from offline_trainer_torch.lazy import initialise_models

LARGE_BYTES = 1 << 30
META = torch.device("meta")

Build = Callable[[], dict[str, nn.Module]]


def trace_shapes(
    build: Build, objective: Objective, optimizers: Sequence[str], batch: Any
) -> ShapeTrace:
    """One batch through evaluation and the updates of the first step.

    Args:
        build: Makes the models, by name, on torch's default device.
        objective: Bound to its io and loss.
        optimizers: Names of the run's optimizers.
        batch: As the datamodule yielded it.
    """
    models = on_meta(build)
    tensors = [t for m in models.values() for t in chain(m.parameters(), m.buffers())]
    if sum(t.nbytes for t in tensors if not is_lazy(t)) > LARGE_BYTES:
        try:
            return _trace(models, objective, optimizers, place(batch, META))
        except Exception as error:
            if not _needs_values(error):
                raise
    return _trace(build(), objective, optimizers, place(batch, torch.device("cpu")))


def on_meta(build: Build) -> dict[str, nn.Module]:
    """Models without memory; where the making needs values, such as ``.item()``, made for real."""
    try:
        with META:
            return build()
    except Exception as error:
        if not _needs_values(error):
            raise
    return {name: model.to(META) for name, model in build().items()}


def _needs_values(error: Exception) -> bool:
    """Whether what is computed may depend on values, which the meta device does not have."""
    return isinstance(error, NotImplementedError) or "meta" in str(error).lower()


def _trace(
    models: Mapping[str, nn.Module], objective: Objective, optimizers: Sequence[str], batch: Any
) -> ShapeTrace:
    seen: dict[str, dict[str, Any]] = {}
    inputs: dict[str, dict[str, Any]] = {}

    def note_inputs(name: str) -> Callable[..., None]:
        def hook(model: nn.Module, args: Any, kwargs: Any) -> None:
            positional = zip(graph_of(model).inputs, args, strict=False)
            inputs.setdefault(name, place({**dict(positional), **kwargs}, META))

        return hook

    with ExitStack() as stack:
        for name, model in models.items():
            seen[name] = stack.enter_context(noted(model))
            hook = model.register_forward_pre_hook(note_inputs(name), with_kwargs=True)
            stack.callback(hook.remove)
        initialise_models(models, objective, optimizers, batch)
        for model in models.values():
            model.eval()
        with torch.no_grad():
            evaluation = objective.evaluate(models, batch, "val")
        for model in models.values():
            model.train()
        for update in objective.updates(0, optimizers):
            update.loss(models, batch, "train")
    shapes = {name: node_shapes(model, seen[name]) for name, model in models.items()}
    return ShapeTrace(shapes, inputs, evaluation)


@contextmanager
def noted(model: nn.Module) -> Iterator[dict[str, Any]]:
    """A context in which the first value of every node is noted, as a shape without memory."""
    seen: dict[str, Any] = {}
    with watched(model, _noting(seen)):
        yield seen


def _noting(seen: dict[str, Any]) -> Callable[[str, Any], Any]:
    def note(name: str, value: Any) -> Any:
        seen.setdefault(name, place(value, META))
        return value

    return note


def node_shapes(model: nn.Module, seen: Mapping[str, Any]) -> list[NodeShape]:
    """A row for each node of a model that was reached, with the parameters of what it calls."""
    counted: set[str] = set()
    shapes = []
    for node in graph_of(model).nodes:
        if node.name not in seen:
            continue
        kind, _, target = node.call.partition(":")
        new = kind == "module" and target not in counted
        counted.add(target if kind == "module" else "")
        module = model.get_submodule(target) if new else None
        parameters = module.parameters() if module is not None else ()
        count = sum(p.numel() for p in parameters if not is_lazy(p))
        shapes.append(NodeShape(node.name, seen[node.name], count))
    return shapes
