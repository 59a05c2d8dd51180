"""Gives lazy parameters their shapes, with bytes that depend on nothing but seed and name."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from model_constructor.torch.seeding import own_random_stream, seed_generators, stable_seed
from model_constructor.torch.start import begin_when_sized


def initialise_lazy(module: nn.Module, *args: Any, **kwargs: Any) -> None:
    """Run one forward in evaluation mode, without gradient, if any parameter has no shape yet.

    Each lazy layer draws from a random stream of its own, seeded from the seed the model was built
    with and from the layer's name; torch's generators are left as they were.

    Args:
        module: A model from `model_constructor.torch.builder.build`, or any module.
        args: Inputs of its ``forward``, on the device of its parameters.
        kwargs: Further inputs.

    >>> from model_constructor.torch.lazy import initialise_lazy
    >>> layer = nn.LazyLinear(4)
    >>> initialise_lazy(layer, torch.zeros(2, 3))
    >>> layer.weight.shape
    torch.Size([4, 3])
    """
    seed_parts = getattr(module, "_seed_parts", (0, ""))
    lazy = {name: part for name, part in module.named_modules() if _is_lazy_layer(part)}
    if not lazy:
        return
    modes = {part: part.training for part in module.modules()}
    hooks = [
        part.register_forward_pre_hook(_Seed(stable_seed(*seed_parts, name)), prepend=True)
        for name, part in lazy.items()
    ]
    try:
        with own_random_stream(*seed_parts), torch.no_grad():
            module.eval()(*args, **kwargs)
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes.items():
            part.training = training
    begin_when_sized(module)


class _Seed:
    """A forward pre-hook that runs before a lazy layer's own and seeds what it will draw."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, module: nn.Module, args: Any) -> None:
        seed_generators(self.seed)


def _is_lazy_layer(module: nn.Module) -> bool:
    tensors = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return any(is_lazy(tensor) for tensor in tensors)
