"""Every loss class of torch.nn through `loss.torch`, from YAML-like specs: as torch itself says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model_constructor.instantiate import instantiate_value
from model_constructor.registry import Registry
from offline_trainer.registry import build_registry

B, C, T, D = 6, 4, 5, 3

NO_LOSSES = {
    "AdaptiveLogSoftmaxWithLoss",  # these two have weights to train: a model's last layer
    "LinearCrossEntropyLoss",
    "NLLLoss2d",  # the former name of NLLLoss
}


def x(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def classes(*shape: int) -> Tensor:
    return torch.randint(0, C, shape)


def signs(*shape: int) -> Tensor:
    return 2.0 * torch.randint(0, 2, shape).double() - 1


def yes_or_no(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape).double()


def two(prediction: Tensor, target: Any, **fn: Any) -> tuple[Any, Any, Any, dict[str, Any], Any]:
    """Outputs, targets, batch, arguments of `loss.torch`, and those of the torch loss itself."""
    arguments = {"pred_path": "y", "target_path": "t"}
    return {"y": prediction}, {"t": target}, {}, {"fn": fn, **arguments}, (prediction, target)


def several(
    *values: tuple[str, str, Tensor], **fn: Any
) -> tuple[Any, Any, Any, dict[str, Any], Any]:
    there: dict[str, dict[str, Tensor]] = {"outputs": {}, "targets": {}, "batch": {}}
    for place, name, value in values:
        there[place][name] = value
    inputs = [f"{place}.{name}" for place, name, _ in values]
    given = tuple(value for *_, value in values)
    return there["outputs"], there["targets"], there["batch"], {"fn": fn, "inputs": inputs}, given


def embeddings(*names: str) -> list[tuple[str, str, Tensor]]:
    return [("outputs", name, x(B, D)) for name in names]


CASES = {
    "BCELoss": lambda: two(x(B, 1).sigmoid(), yes_or_no(B, 1)),
    "BCEWithLogitsLoss": lambda: two(x(B, C), yes_or_no(B, C)),
    "CTCLoss": lambda: several(
        ("outputs", "log_p", x(T, B, C).log_softmax(2)),
        ("targets", "text", torch.randint(1, C, (B, 2))),
        ("batch", "frames", torch.full((B,), T)),
        ("batch", "letters", torch.full((B,), 2)),
        zero_infinity=True,
    ),
    "CosineEmbeddingLoss": lambda: several(*embeddings("a", "b"), ("targets", "t", signs(B))),
    "CrossEntropyLoss": lambda: two(x(B, C, T), classes(B, T), label_smoothing=0.1),
    "GaussianNLLLoss": lambda: several(
        ("outputs", "mean", x(B, D)),
        ("targets", "t", torch.randn(B, D).double()),
        ("outputs", "var", x(B, D).exp()),
    ),
    "HingeEmbeddingLoss": lambda: two(x(B, D), signs(B, D)),
    "HuberLoss": lambda: two(x(B, D), torch.randn(B, D).double(), delta=0.5),
    "KLDivLoss": lambda: two(
        x(B, C).log_softmax(1), torch.rand(B, C).double().softmax(1), reduction="batchmean"
    ),
    "L1Loss": lambda: two(x(B, D), torch.randn(B, D).double()),
    "MSELoss": lambda: two(x(B, D), torch.randn(B, D).double()),
    "MarginRankingLoss": lambda: several(
        ("outputs", "a", x(B)), ("outputs", "b", x(B)), ("targets", "t", signs(B))
    ),
    "MultiLabelMarginLoss": lambda: two(
        x(B, C), torch.tensor([[0, 2, -1, -1]]).expand(B, C).contiguous()
    ),
    "MultiLabelSoftMarginLoss": lambda: two(x(B, C), yes_or_no(B, C)),
    "MultiMarginLoss": lambda: two(x(B, C), classes(B)),
    "NLLLoss": lambda: two(x(B, C).log_softmax(1), classes(B), ignore_index=0),
    "PoissonNLLLoss": lambda: two(x(B, D), torch.randint(0, 5, (B, D)).double()),
    "SmoothL1Loss": lambda: two(x(B, D), torch.randn(B, D).double(), beta=0.5),
    "SoftMarginLoss": lambda: two(x(B, D), signs(B, D)),
    "TripletMarginLoss": lambda: several(*embeddings("anchor", "positive", "negative")),
    "TripletMarginWithDistanceLoss": lambda: several(
        *embeddings("anchor", "positive", "negative"), swap=True
    ),
}


@pytest.fixture(scope="module")
def all_keys() -> Registry:
    return build_registry()


def test_every_loss_class_of_torch_has_its_case() -> None:
    there = {name for name in dir(nn) if name.endswith("Loss")}
    assert there - NO_LOSSES == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_every_loss_of_torch_is_taken_by_spec(name: str, all_keys: Registry) -> None:
    outputs, targets, batch, arguments, given = CASES[name]()
    keywords = arguments.pop("fn")
    fn = {"_type_": f"nn.{name}", **keywords}
    spec = {"_type_": "loss.torch", "fn": fn, **arguments}
    loss = instantiate_value(spec, registry=all_keys, path=("loss",))
    result = loss(outputs=outputs, targets=targets, batch=batch, stage="train").loss
    assert result.requires_grad
    assert result.item() == getattr(nn, name)(**keywords)(*given).item()
