"""What ``compile`` and ``cuda_graph`` of `engine.torch` mean, and why they may not be had."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.notices import notice
from offline_trainer_torch.compiler import compiler, is_of_compiler, layout, reason
from offline_trainer_torch.gradients import Clipping
from offline_trainer_torch.planned import PlannedOptimizer

if TYPE_CHECKING:  # imports torch's compiler, which takes as long as torch itself
    from offline_trainer_torch.compiled_updates import CompiledUpdates

Compile = Literal["none", "model", "step"]
_CHOICES = ("none", "model", "step")
_RANDOM = {"fallback_random": True}  # dropout draws what it draws without a compiler
_NO_ASSERTS = {"size_asserts": False, "alignment_asserts": False}  # of what guards have checked


def check_compile(chosen: str) -> None:
    """Refuse what ``compile`` cannot say.

    Raises:
        ParameterError: It is none of the choices.
    """
    if chosen not in _CHOICES:
        raise ParameterError(
            f"compile must be one of {', '.join(_CHOICES)}, got {chosen!r}",
            parameter="compile",
            suggestions=close_matches(chosen, _CHOICES),
        )


def step_options(chosen: Compile, cuda_graph: bool, device: torch.device) -> dict[str, Any] | None:
    """Arguments of `torch.compile` for a whole step; None where a step is not to be compiled.

    A captured graph without compiled kernels is had from torch's backend of that name.
    """
    if cuda_graph and device.type != "cuda":
        notice(f"cuda_graph has no effect: this run is on {device.type}")
        cuda_graph = False
    if chosen == "step":
        return {"options": {**_RANDOM, **_NO_ASSERTS, "triton.cudagraphs": cuda_graph}}
    return {"backend": "cudagraphs"} if cuda_graph else None


def compiled_updates(
    options: Mapping[str, Any] | None,
    models: Mapping[str, nn.Module],
    optimizers: Mapping[str, PlannedOptimizer],
    autocast: Callable[[], AbstractContextManager[object]],
    scaler: torch.amp.GradScaler | None,
    clipping: Clipping,
    example: Any,
    device: torch.device,
) -> CompiledUpdates | None:
    """What carries updates out as compiled code; None where it is not wanted or, told, cannot be.

    Args:
        options: Of `step_options`.
        scaler: For fp16, else None.
        example: The first training batch, on the device.

    For the others see `CompiledUpdates`.
    """
    if options is None:
        return None
    from offline_trainer_torch.compiled_updates import CompiledUpdates, why_not

    why = why_not(optimizers, scaler)
    if why is not None:
        notice(f"the step is not compiled: {why}")
        return None
    return CompiledUpdates(models, optimizers, autocast, clipping, example, device, options)


def compile_models(models: Mapping[str, nn.Module]) -> None:
    """Compile the forward of each model when it is first called, and say so.

    Calls whose inputs have other shapes than those of the first are left to torch's operations:
    what is computed must not depend on what a process has seen before. A model that cannot be
    compiled computes as it did, after one line.
    """
    for name, model in models.items():
        # Where `nn.Module.compile` puts it, which copies of the model leave out.
        vars(model)["_compiled_call_impl"] = _compiled_call(name, model)


def _compiled_call(name: str, model: nn.Module) -> Callable[..., Any]:
    eager: Callable[..., Any] = model._call_impl
    compiled = compiler()(eager, options=dict(_RANDOM))
    first: Any = None

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal first
        shapes = layout((args, kwargs))
        if first is not None:
            return compiled(*args, **kwargs) if shapes == first else eager(*args, **kwargs)
        started = time.perf_counter()
        try:
            found = compiled(*args, **kwargs)
        except Exception as error:
            if not is_of_compiler(error):
                raise
            vars(model)["_compiled_call_impl"] = None
            notice(f"model `{name}` is not compiled: {reason(error)}")
            return eager(*args, **kwargs)
        first = shapes
        notice(f"compiled model `{name}` in {time.perf_counter() - started:.1f} s")
        return found

    return call
