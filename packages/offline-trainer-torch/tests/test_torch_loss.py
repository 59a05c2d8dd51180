"""`loss.torch` and the paths it picks values by."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from model_constructor.errors import ParameterError
from offline_trainer.engine import MicroBatch
from offline_trainer.io_mapping import MappingIo
from offline_trainer.objective import SupervisedObjective
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


def test_a_mask_gives_the_mean_over_what_it_chooses() -> None:
    fn = nn.CrossEntropyLoss(reduction="none")
    loss = TorchLoss(fn, mask_path="is_token")
    logits = torch.randn(2, 3, 4, requires_grad=True)  # (B, C, T)
    targets = torch.tensor([[0, 1, 2, 0], [1, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
    batch = {"is_token": mask}
    result = loss(outputs=logits, targets=targets, batch=batch, stage="train").loss
    expected = fn(logits, targets)[mask.bool()].mean()
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=0)
    result.backward()
    assert logits.grad is not None
    assert not logits.grad.movedim(1, 2)[~mask.bool()].any()


def test_classes_may_be_in_any_dimension() -> None:
    logits, targets = torch.randn(2, 5, 5), torch.randint(0, 5, (2, 5))  # (B, T, C), T = C
    loss = TorchLoss(nn.CrossEntropyLoss(), class_dim=-1)
    result = loss(outputs={"y": logits}, targets=targets, batch={}, stage="train").loss
    by_hand = -logits.log_softmax(-1).gather(-1, targets[..., None]).mean()
    torch.testing.assert_close(result, by_hand)
    with pytest.raises(ParameterError, match="no dimension -1 and 1 in"):
        loss(outputs=logits[0, 0], targets=targets, batch={}, stage="train")


def test_what_is_masked_may_be_anything() -> None:
    outputs = torch.tensor([1.0, float("nan")], requires_grad=True)
    loss = TorchLoss(nn.L1Loss(reduction="none"), mask_path="mask")
    for mask in ([1.0, 0.0], [0.0, 0.0]):
        result = loss(
            outputs=outputs,
            targets=torch.zeros(2),
            batch={"mask": torch.tensor(mask)},
            stage="train",
        ).loss
        assert result.item() == mask[0]
    (gradient,) = torch.autograd.grad(result, outputs)
    assert gradient.tolist() == [0.0, 0.0]


def test_micro_batches_with_masks_equal_one_batch(start_engine: Any) -> None:
    io = MappingIo(["x"], targets={"y": "y"}, weight="mask")
    random = torch.Generator().manual_seed(0)
    batch = {
        "x": torch.randn(7, 5, 4, generator=random, dtype=torch.float64),
        "y": torch.randn(7, 5, 3, generator=random, dtype=torch.float64),
        "mask": (torch.rand(7, 5, generator=random) < 0.6).double(),
    }

    def trained(*sizes: int) -> list[torch.Tensor]:
        torch.manual_seed(1)
        objective = SupervisedObjective()
        objective.bind(io, TorchLoss(nn.MSELoss(reduction="none"), mask_path="mask"))
        engine = start_engine(nn.Linear(4, 3).double(), objective=objective)
        parts = zip(*(value.split(sizes) for value in batch.values()), strict=True)
        micro = [dict(zip(batch, part, strict=True)) for part in parts]
        engine.train_step([MicroBatch(each, io.weight(each)) for each in micro])
        return [p.detach().clone() for p in engine.models["model"].parameters()]

    for ours, whole in zip(trained(1, 4, 2), trained(7), strict=True):
        torch.testing.assert_close(ours, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "parameter", "message"),
    [
        ({"fn": nn.MSELoss(), "mask_path": "m"}, "mask_path", "fn has reduction 'mean'"),
        ({"fn": nn.MSELoss(), "class_weights": [1.0]}, "class_weights", "MSELoss takes no weights"),
        ({"fn": nn.MSELoss(), "inputs": [], "pred_path": "y"}, "inputs", "for one of each"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: dict[str, Any], parameter: str, message: str
) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        TorchLoss(**arguments)
    assert caught.value.parameter == (parameter,)


@pytest.mark.parametrize("shape", [(3,), (4, 4), ()])
def test_a_mask_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    loss = TorchLoss(nn.MSELoss(reduction="none"), mask_path="mask")
    with pytest.raises(ParameterError, match="fn returned a Tensor of shape") as caught:
        loss(outputs=ONES, targets=ZEROS, batch={"mask": torch.ones(shape)}, stage="train")
    assert caught.value.parameter == ("mask_path",)


def test_classes_have_weights() -> None:
    outputs, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 1])
    loss = TorchLoss(nn.CrossEntropyLoss(), class_weights=[1.0, 2.0, 0.5])
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]))
    assert call(loss, outputs, targets) == weighted(outputs, targets).item()
    answers = torch.randint(0, 2, (5, 3)).float()
    loss = TorchLoss(nn.BCEWithLogitsLoss(), class_weights=[1.0, 2.0, 0.5])
    positive = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0, 0.5]))
    assert call(loss, outputs, answers) == positive(outputs, answers).item()


def test_an_input_that_is_not_there_is_named() -> None:
    loss = TorchLoss(nn.TripletMarginLoss(), inputs=["outputs.a", "outputs.b", "output.c"])
    with pytest.raises(ParameterError, match="no `output") as caught:
        call(loss, {"a": ONES, "b": ONES, "c": ONES}, None)
    assert caught.value.suggestions == ("outputs",)


@pytest.mark.parametrize(("label", "shape"), [(7, (2, 3)), (-1, (2, 3)), (3, (3,)), (9, (1, 3, 2))])
def test_a_label_of_no_class_is_told_with_the_classes(label: int, shape: tuple[int, ...]) -> None:
    loss = TorchLoss(nn.CrossEntropyLoss())
    labels = torch.zeros(shape[:1] + shape[2:] if len(shape) > 1 else (), dtype=torch.long)
    labels.view(-1)[0] = label
    with pytest.raises(ParameterError) as caught:
        loss(outputs=torch.zeros(shape), targets=labels, batch={}, stage="train")
    assert str(caught.value) == (
        f"Target {label} is out of bounds: the prediction of shape {shape} has 3 classes, 0 to 2"
    )
    assert caught.value.parameter == ()


def test_another_index_error_of_a_loss_is_left_as_it_is() -> None:
    def fails(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return prediction[[0] * 3, 5]

    with pytest.raises(IndexError):
        TorchLoss(fails)(outputs=torch.zeros(3, 3), targets=torch.zeros(3), batch={}, stage="train")
