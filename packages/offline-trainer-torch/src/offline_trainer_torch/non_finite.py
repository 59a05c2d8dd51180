"""Finds the first tensor that is not finite, in the state of a run or in a step that is repeated.

Looks at every tensor and waits for the device each time: this is for when a run has gone wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import nn

from offline_trainer.protocols import Update
from offline_trainer_torch.batches import PlacedWindow
from offline_trainer_torch.planned import PlannedOptimizer

Named = Iterator[tuple[str, torch.Tensor]]


def first_in_state(
    models: Mapping[str, nn.Module],
    optimizers: Mapping[str, PlannedOptimizer],
    left_out: frozenset[str],
) -> str | None:
    """The first parameter, buffer or state of an optimizer that is not finite, in words.

    Args:
        models: By name.
        optimizers: By name.
        left_out: Buffers that hold infinities on purpose.
    """
    names: dict[int, str] = {}
    for model_name, model in models.items():
        for name, parameter in model.named_parameters():
            names.setdefault(id(parameter), f"{model_name}.{name}")
    return _first(
        [
            *_parameters(models),
            *((f"buffer `{name}`", t) for name, t in _buffers(models) if name not in left_out),
            *_optimizer_state(optimizers, names),
        ]
    )


def first_in_step(
    models: Mapping[str, nn.Module],
    updates: Sequence[Update],
    window: PlacedWindow,
    autocast: Callable[[], AbstractContextManager[object]],
) -> str | None:
    """The first tensor of a step that is not finite, in words; buffers stay as they are.

    Looked at in the order in which they come to be: the batch, what each module returns, the loss,
    the gradients. The caller isolates the random streams and clears the gradients.

    Args:
        models: By name.
        updates: Of the step.
        window: Its micro-batches.
        autocast: Makes the context that losses are computed under.
    """
    buffers = [buffer for _, buffer in _buffers(models)]
    kept = [buffer.clone() for buffer in buffers]
    found: list[str] = []
    with ExitStack() as stack:
        for model_name, model in models.items():
            for name, module in model.named_modules():
                path = f"{model_name}.{name}" if name else model_name
                hook = module.register_forward_hook(_noting(f"the output of `{path}`", found))
                stack.callback(hook.remove)
        for batch, share in window:
            found += _texts(_inside(batch, "the batch"))
            for update in updates:
                with autocast():
                    loss = update.loss(models, batch, "train").loss
                found += _texts([("the loss", loss)])
                (loss * share).backward()
                found += _texts(_gradients(models))
            if found:
                break
    with torch.no_grad():
        for buffer, value in zip(buffers, kept, strict=True):
            buffer.copy_(value)
    return found[0] if found else None


def _noting(name: str, found: list[str]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, args: Any, output: Any) -> None:
        found.extend(_texts(_inside(output, name)))

    return hook


def _first(named: Sequence[tuple[str, torch.Tensor]]) -> str | None:
    return next(iter(_texts(named)), None)


def _texts(named: Any) -> list[str]:
    return [name for name, tensor in named if not _is_finite(tensor)]


def _is_finite(tensor: torch.Tensor) -> bool:
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _parameters(models: Mapping[str, nn.Module]) -> Named:
    for model_name, model in models.items():
        for name, parameter in model.named_parameters():
            yield f"parameter `{model_name}.{name}`", parameter.detach()


def _buffers(models: Mapping[str, nn.Module]) -> Named:
    for model_name, model in models.items():
        for name, buffer in model.named_buffers():
            yield f"{model_name}.{name}", buffer


def _gradients(models: Mapping[str, nn.Module]) -> Named:
    for model_name, model in models.items():
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                yield f"the gradient of `{model_name}.{name}`", parameter.grad


def _optimizer_state(optimizers: Mapping[str, PlannedOptimizer], names: Mapping[int, str]) -> Named:
    for optimizer_name, planned in optimizers.items():
        for parameter in planned.parameters:
            of = f"of `{names.get(id(parameter), '?')}` in optimizer `{optimizer_name}`"
            for key, value in planned.optimizer.state.get(parameter, {}).items():
                yield from _inside(value, f"`{key}` {of}")


def _inside(value: Any, name: str) -> Named:
    """The tensors of nested containers, each with the keys that lead to it."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _inside(item, f"`{key}` of {name}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _inside(item, f"item {index} of {name}")
