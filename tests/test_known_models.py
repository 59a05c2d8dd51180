"""The shipped models learn: on one batch, a few steps bring the loss down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_constructor.config.resolve import resolve_config
from model_constructor.graph.compiler import compile_all
from model_constructor.keys import default_registry
from model_constructor.torch.blocks.heads import GaussianNLL
from model_constructor.torch.builder import build
from model_constructor.torch.lazy import initialise_lazy

MODELS = Path(__file__).parents[1] / "configs/models"
Models = dict[str, nn.Module]


def classes(logits: Tensor) -> Tensor:
    return functional.cross_entropy(logits, torch.arange(len(logits)) % logits.shape[1])


def mask(models: Models, image: Tensor) -> Tensor:
    return functional.cross_entropy(models["model"](image), (image[:, 0] > 0).long())


def next_token(models: Models, tokens: Tensor) -> Tensor:
    logits = models["model"](tokens[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def act_and_judge(models: Models, image: Tensor, state: Tensor) -> Tensor:
    outputs = models["model"](image, state)
    success = functional.binary_cross_entropy(outputs["success"][:, 0], (state[:, 0] > 0).float())
    action: Tensor = GaussianNLL()(outputs["action"], state[:, :7])
    return action + success


def act_well(models: Models, state: Tensor) -> Tensor:
    value: Tensor = -(state[:, :6].tanh() - models["actor"](state)).square().sum(-1, keepdim=True)
    first, second = models["critics"](state, models["actor"](state))
    critics = functional.mse_loss(first, value) + functional.mse_loss(second, value)
    return critics - value.mean()


def evidence(models: Models, x: Tensor) -> Tensor:
    outputs = models["model"](x)
    mean, log_std = outputs["mean"], outputs["log_std"]
    divergence: Tensor = 0.05 * (mean**2 + (2 * log_std).exp() - 2 * log_std - 1).sum(-1).mean()
    return functional.mse_loss(outputs["reconstruction"], x, reduction="sum") / len(x) + divergence


def of_model(loss: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda models, *inputs: loss(models["model"](*inputs))


CASES: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "sequential_mlp": (of_model(classes), ((8, 12),)),
    "graph_skip": (of_model(classes), ((8, 12),)),
    "lenet": (of_model(classes), ((8, 64),)),
    "resnet18": (of_model(classes), ((4, 3, 32, 32),)),
    "vit_small": (of_model(classes), ((4, 3, 32, 32),)),
    "unet": (mask, ((2, 1, 16, 16),)),
    "gpt": (next_token, ((2, 33),)),
    "fusion": (act_and_judge, ((4, 3, 16, 16), (4, 9))),
    "actor_critic": (act_well, ((16, 17),)),
    "vae": (evidence, ((16, 64),)),
}


def built(name: str) -> Models:
    config = resolve_config(MODELS / f"{name}.yaml")
    graphs = compile_all(config.data, config.source_map)
    registry = default_registry()
    return {
        each: build(graph, registry, sources=config.source_map) for each, graph in graphs.items()
    }


def test_every_shipped_model_is_here() -> None:
    assert {path.stem for path in MODELS.glob("*.yaml")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_model_learns(name: str) -> None:
    loss_of, shapes = CASES[name]
    torch.manual_seed(0)
    inputs: Any = [torch.randn(shape) for shape in shapes]
    if name == "gpt":
        inputs = [torch.randint(0, 256, shape) for shape in shapes]
    models = built(name)
    if len(models) == 1:
        initialise_lazy(models["model"], *inputs)
    parameters = [each for model in models.values() for each in model.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3)
    losses = []
    for _ in range(25):
        loss = loss_of(models, *inputs)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]
