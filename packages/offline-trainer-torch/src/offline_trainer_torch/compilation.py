"""What ``compile`` and ``cuda_graph`` of `engine.torch` mean, and why they may not be had."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

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

    Each shape of inputs gets code of its own, so that what is computed does not depend on which
    shapes came before. A model that cannot be compiled computes as it did, after one line.
    """
    for name, model in models.items():
        vars(model)["forward"] = _compiled_forward(name, model)


def _compiled_forward(name: str, model: nn.Module) -> Callable[..., Any]:
    eager = model.forward
    compiled = torch.compile(eager, dynamic=False, options=dict(_RANDOM))
    called = False

    def forward(*args: Any, **kwargs: Any) -> Any:
        nonlocal called
        if called:
            return compiled(*args, **kwargs)
        started = time.perf_counter()
        try:
            found = compiled(*args, **kwargs)
        except Exception as error:
            if not is_of_compiler(error):
                raise
            vars(model)["forward"] = eager
            notice(f"model `{name}` is not compiled: {reason(error)}")
            return eager(*args, **kwargs)
        called = True
        notice(f"compiled model `{name}` in {time.perf_counter() - started:.1f} s")
        return found

    return forward


def is_of_compiler(error: Exception) -> bool:
    """Whether an error came out of compiling, not out of what was compiled."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


def reason(error: Exception) -> str:
    """The first paragraph of what a compiler says, as one line.

    >>> reason(RuntimeError("no compiler\\nwas found\\n\\nSee also ..."))
    'no compiler was found'
    """
    text = str(error).strip().partition("\n\n")[0]
    return " ".join(text.split()) or type(error).__name__
