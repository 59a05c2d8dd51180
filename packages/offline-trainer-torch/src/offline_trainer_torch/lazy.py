"""Gives the lazy layers of all models their sizes, from one example batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy

from model_constructor.errors import ConfigError, raise_collected
from model_constructor.torch.lazy import initialise_lazy
from offline_trainer.protocols import Objective


def initialise_models(
    models: Mapping[str, nn.Module],
    objective: Objective,
    optimizers: Sequence[str],
    batch: Any,
) -> None:
    """Let the objective send a batch through its models, until no layer is lazy any more.

    Only the objective knows what each model is called with. Whichever call reaches a lazy model
    first, its layers draw from random streams of their own, so the order cannot matter. Costs
    nothing when no model is lazy.

    Args:
        models: By name, on their device.
        objective: Whose `evaluate`, and then whose losses, call the models.
        optimizers: Names of the run's optimizers.
        batch: An example, on the device.

    Raises:
        ConfigError: A layer is still lazy after that.
    """
    waiting = {name: model for name, model in models.items() if _lazy_names(model)}
    if not waiting:
        return
    # A model that is one lazy layer sizes itself; torch does not let a hook come before.
    whole = [model for model in waiting.values() if not isinstance(model, LazyModuleMixin)]
    hooks = [_InitialiseFirst(model) for model in whole]
    try:
        with torch.no_grad():
            if not optimizers:  # nothing is trained, and the batch need not have targets
                objective.predict(models, batch)
            if any(map(_lazy_names, waiting.values())):
                objective.evaluate(models, batch, "val")
            for update in objective.updates(0, optimizers):
                if any(map(_lazy_names, waiting.values())):
                    update.loss(models, batch, "val")
    finally:
        for hook in hooks:
            hook.handle.remove()
    raise_collected(
        [_still_lazy(name, model) for name, model in waiting.items() if _lazy_names(model)]
    )


def _still_lazy(name: str, model: nn.Module) -> ConfigError:
    unknown = _lazy_names(model)
    built_from = vars(type(model)).get("_built_from")
    part = built_from[0].modules.get(unknown[0].partition(".")[0]) if built_from else None
    return ConfigError(
        f"the sizes of {', '.join(f'`{item}`' for item in unknown)} in model `{name}` are "
        "still unknown after the first batch, which did not pass through there",
        code="OT0610",
        config_path=part.config_path if part is not None else (),
        span=part.span if part is not None else None,
        help="give the sizes in the YAML instead of null",
    )


class _InitialiseFirst:
    """A forward pre-hook that runs once, before any other, and sizes the model's lazy layers."""

    def __init__(self, model: nn.Module) -> None:
        self.handle = model.register_forward_pre_hook(self, prepend=True, with_kwargs=True)

    def __call__(self, model: nn.Module, args: Any, kwargs: Any) -> None:
        self.handle.remove()  # what follows calls the model itself
        initialise_lazy(model, *args, **kwargs)


def _lazy_names(model: nn.Module) -> list[str]:
    named = chain(model.named_parameters(), model.named_buffers())
    return [name for name, tensor in named if is_lazy(tensor)]
