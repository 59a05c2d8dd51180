"""`pretrained.safetensors` on models that share tensors, and on tensors of another type."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from model_constructor.errors import ParameterError
from model_constructor.torch.pretrained import SafetensorsWeights


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("step", torch.zeros(1, dtype=torch.int64))


def state(**changes: Tensor) -> dict[str, Tensor]:
    weight = torch.randn(5, 3)
    plain = {"embedding.weight": weight, "head.weight": weight.clone()}
    return {**plain, "step": torch.ones(1, dtype=torch.int64), **changes}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.safetensors"


def test_a_shared_tensor_may_be_under_each_of_its_names(file: Path) -> None:
    saved = state()
    save_file(saved, file)
    model = Tied()
    SafetensorsWeights(file)(model)
    assert torch.equal(model.head.weight, saved["head.weight"])
    assert model.head.weight is model.embedding.weight


def test_a_shared_tensor_may_be_under_one_of_its_names(file: Path) -> None:
    other, model = Tied(), Tied()
    save_model(other, str(file))
    SafetensorsWeights(file)(model)
    assert torch.equal(model.head.weight, other.head.weight)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"head.weight": torch.zeros(5, 3)}, "`embedding.weight` and `head.weight` are one tensor"),
        ({"step": torch.ones(1)}, r"`step` is \[1\] float in .*, \[1\] int64 in the model"),
        ({"head.weight": torch.zeros(5, 3, dtype=torch.int8)}, "int8 in .*float in the model"),
    ],
)
def test_tensors_that_do_not_fit_change_nothing(
    changes: dict[str, Tensor], words: str, file: Path
) -> None:
    save_file(state(**changes), file)
    model = Tied()
    before = model.head.weight.detach().clone()
    with pytest.raises(ParameterError, match=words):
        SafetensorsWeights(file)(model)
    assert torch.equal(model.head.weight, before)


def test_half_precision_is_loaded_into_floats(file: Path) -> None:
    weight = torch.ones(5, 3, dtype=torch.bfloat16)
    save_file(state(**{"embedding.weight": weight, "head.weight": weight.clone()}), file)
    model = Tied()
    SafetensorsWeights(file)(model)
    assert model.head.weight.dtype is torch.float32
    assert model.head.weight.unique().tolist() == [1.0]
