"""What ``compile`` and ``cuda_graph`` of `engine.torch` mean, and why they may not be had."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.notices import notice

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


def compiler() -> Any:
    """`torch.compile`, with limits that each compiled function has for itself where it can."""
    return partial(torch.compile, isolate_recompiles=True) if can_isolate() else torch.compile


def can_isolate() -> bool:
    """Whether this torch counts how often it compiles for each compiled function."""
    return "isolate_recompiles" in inspect.signature(torch.compile).parameters


def layout(value: Any) -> Any:
    """Shapes and dtypes of nested tensors and arrays; of anything else, its type."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return value.shape, value.dtype
    if isinstance(value, dict):
        return {key: layout(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [layout(item) for item in value]
    return type(value)


def is_of_compiler(error: Exception) -> bool:
    """Whether an error came out of compiling, not out of what was compiled."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


def reason(error: Exception) -> str:
    """What a compiler says, without what it says to its own developers, as one line.

    >>> reason(RuntimeError("no compiler\nwas found\n\nSee also ..."))
    'no compiler was found'
    """
    whole = str(error).strip()
    text = " ".join(whole.partition("\n\n")[0].partition("Explanation:")[0].split())
    if type(error).__name__ == "FailOnRecompileLimitHit":
        text = "values in Python that change from step to step need other code too often"
    elif "data-dependent" in text.lower():
        text = "a number is read back (.item(), or `if` on a tensor) while the step is computed"
    places = re.findall(r'File "([^"]+)", line (\d+)', whole)
    return (text or type(error).__name__) + (f" ({':'.join(places[-1])})" if places else "")
