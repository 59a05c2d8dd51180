"""`loss.torch` and the paths it picks values by."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from model_constructor.errors import ParameterError
from offline_trainer.protocols import LossOutput
from offline_trainer_torch.loss import TorchLoss
from offline_trainer_torch.paths import select

ONES, ZEROS = torch.ones(4), torch.zeros(4)


def call(loss: TorchLoss, outputs: Any, targets: Any) -> float:
    return float(loss(outputs=outputs, targets=targets, batch=None, stage="train").loss)


@pytest.mark.parametrize(
    ("outputs", "targets", "paths"),
    [
        (ONES, ZEROS, {}),
        ({"y": ONES}, {"target": {"y": ZEROS}}, {}),
        ({"y": ONES, "z": ZEROS}, ZEROS, {"pred_path": "y"}),
        ((ZEROS, ONES), [ZEROS, ONES], {"pred_path": 1, "target_path": 0}),
        ({"heads": [{"y": ONES}], "z": 0}, ZEROS, {"pred_path": ["heads", 0, "y"]}),
        ({"heads": [{"y": ONES}], "z": 0}, ZEROS, {"pred_path": "heads.0.y"}),
        ({"a.b": ONES, "a": {"b": ZEROS}}, ZEROS, {"pred_path": "a.b"}),
        ({"0": ONES, "1": ZEROS}, ZEROS, {"pred_path": 0}),
    ],
)
def test_values_are_picked_by_path(outputs: Any, targets: Any, paths: dict[str, Any]) -> None:
    assert call(TorchLoss(nn.MSELoss(), **paths), outputs, targets) == 1.0


@pytest.mark.parametrize(
    ("path", "message", "suggestions"),
    [
        ("logit", "no `logit`; there is a mapping with `logits`, `heads`", ("logits",)),
        ("heads.2", "no `2` under `heads`; there is a list of 1", ()),
        (["heads", 0, "y"], r"no `y` under `heads.0`; there is a Tensor of shape \(4,\)", ()),
    ],
)
def test_a_path_to_nowhere_lists_what_is_there(
    path: Any, message: str, suggestions: tuple[str, ...]
) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        select({"logits": ONES, "heads": [ONES]}, path, parameter="pred_path")
    assert caught.value.suggestions == suggestions
    assert caught.value.parameter == ("pred_path",)


def test_several_outputs_need_a_path() -> None:
    with pytest.raises(ParameterError, match="MSELoss takes a tensor") as caught:
        call(TorchLoss(nn.MSELoss()), {"y": ONES, "z": ONES}, ZEROS)
    assert caught.value.parameter == ("pred_path",)
    assert caught.value.suggestions == ("y", "z")


def test_a_callable_may_take_containers() -> None:
    def loss(outputs: Any, target: Any) -> LossOutput:
        return LossOutput(sum(o.mean() for o in outputs.values()), {"n": len(outputs)})

    result = TorchLoss(loss)(
        outputs={"y": ONES, "z": ONES}, targets=ZEROS, batch=None, stage="train"
    )
    assert float(result.loss) == 2.0
    assert result.logs == {"n": 2}


def test_a_loss_per_sample_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"got a Tensor of shape \(4,\)") as caught:
        call(TorchLoss(nn.MSELoss(reduction="none")), ONES, ZEROS)
    assert caught.value.help == "use `reduction: mean`"


def test_what_cannot_be_called_is_refused() -> None:
    fn: Any = {"type": "nn.MSELoss"}
    with pytest.raises(ParameterError, match="fn must be a loss"):
        TorchLoss(fn)


def test_buffers_follow_the_prediction() -> None:
    fn = nn.CrossEntropyLoss(weight=torch.ones(3))
    fn.to("meta")
    loss = TorchLoss(fn)
    with pytest.raises(NotImplementedError, match="meta"):
        call(loss, torch.ones(2, 3), torch.tensor([0, 1]))  # it tried to bring them from there
    outputs = torch.ones(2, 3, device="meta")
    targets = torch.zeros(2, dtype=torch.long, device="meta")
    loss = TorchLoss(nn.CrossEntropyLoss(weight=torch.ones(3)))
    loss(outputs=outputs, targets=targets, batch=None, stage="train")
    assert loss.fn.weight.device.type == "meta"  # type: ignore[attr-defined]
