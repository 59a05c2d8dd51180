"""`metric.*`: what torchmetrics says of the whole set at once, whatever the batches."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import config

from model_constructor.errors import ConfigError, ParameterError
from model_constructor.registry import Registry
from offline_trainer.experiment import run_experiment
from offline_trainer_torch import metrics_of_classes, metrics_of_numbers
from offline_trainer_torch.metrics_of_classes import accuracy
from offline_trainer_torch.tables import METRICS_OF_CLASSES, METRICS_OF_NUMBERS
from offline_trainer_torch.torchmetrics_adapter import TorchMetric

Values = tuple[torch.Tensor, torch.Tensor]
CLASSES = 4


def classes(size: int) -> Values:
    return torch.randn(size, CLASSES), torch.randint(0, CLASSES, (size,))


def labels(size: int) -> Values:
    return torch.rand(size, CLASSES), torch.randint(0, 2, (size, CLASSES))


def answers(size: int) -> Values:
    return torch.randn(size, 1), torch.randint(0, 2, (size,))


def numbers(size: int) -> Values:
    return torch.randn(size, 3), torch.randn(size, 3)


def tokens(size: int) -> Values:
    return torch.randn(size, 5, CLASSES), torch.randint(0, CLASSES, (size, 5))


def told(metric: TorchMetric, outputs: Any, targets: Any, batch: Any = None) -> None:
    metric.update(outputs=outputs, targets=targets, batch=batch, stage="val")


def share(hits: torch.Tensor) -> float:
    return float(hits.double().mean())


def by_hand_precision(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    chosen = outputs.argmax(1)
    each = [share(targets[chosen == c] == c) for c in range(CLASSES)]
    return sum(each) / CLASSES


def by_hand_recall(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    chosen = outputs.argmax(1)
    return sum(share(chosen[targets == c] == c) for c in range(CLASSES)) / CLASSES


def by_hand_f1(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    chosen, total = outputs.argmax(1), 0.0
    for c in range(CLASSES):
        hits = int(((chosen == c) & (targets == c)).sum())
        total += 2 * hits / int((chosen == c).sum() + (targets == c).sum())
    return total / CLASSES


def by_hand_auroc(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    scores = outputs[:, 0]
    pairs = scores[targets == 1][:, None] - scores[targets == 0][None]
    return share(pairs > 0)


def by_hand_matrix(outputs: torch.Tensor, targets: torch.Tensor) -> list[list[int]]:
    chosen = outputs.argmax(1)
    return [
        [int(((targets == row) & (chosen == column)).sum()) for column in range(CLASSES)]
        for row in range(CLASSES)
    ]


def by_hand_r2(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    error = ((outputs - targets).double() ** 2).sum(0)
    return float((1 - error / ((targets - targets.mean(0)).double() ** 2).sum(0)).mean())


CASES: list[tuple[str, dict[str, Any], Callable[[int], Values], str, Callable[..., Any]]] = [
    ("accuracy", {}, classes, "accuracy", lambda o, t: share(o.argmax(1) == t)),
    (
        "accuracy",
        {"task": "binary", "logits": True},
        answers,
        "accuracy",
        lambda o, t: share((o[:, 0] > 0) == t),
    ),
    (
        "accuracy",
        {"task": "multilabel", "num_classes": CLASSES, "threshold": 0.25},
        labels,
        "accuracy",
        lambda o, t: share((o > 0.25) == t),
    ),
    (
        "accuracy",
        {"num_classes": CLASSES, "average": "macro", "name": "balanced"},
        classes,
        "balanced",
        by_hand_recall,
    ),
    (
        "top_k_accuracy",
        {"num_classes": CLASSES, "k": 2},
        classes,
        "top_2_accuracy",
        lambda o, t: share((o.topk(2, 1).indices == t[:, None]).any(1)),
    ),
    ("precision", {"num_classes": CLASSES}, classes, "precision", by_hand_precision),
    ("recall", {"num_classes": CLASSES}, classes, "recall", by_hand_recall),
    ("f1", {"num_classes": CLASSES}, classes, "f1", by_hand_f1),
    ("auroc", {"task": "binary", "logits": True}, answers, "auroc", by_hand_auroc),
    (
        "mean_squared_error",
        {},
        numbers,
        "mean_squared_error",
        lambda o, t: float(((o - t) ** 2).mean()),
    ),
    (
        "mean_squared_error",
        {"squared": False},
        numbers,
        "root_mean_squared_error",
        lambda o, t: float(((o - t) ** 2).mean().sqrt()),
    ),
    (
        "mean_absolute_error",
        {},
        numbers,
        "mean_absolute_error",
        lambda o, t: float((o - t).abs().mean()),
    ),
    ("r2", {}, numbers, "r2", by_hand_r2),
    (
        "perplexity",
        {},
        tokens,
        "perplexity",
        lambda o, t: math.exp(torch.nn.functional.cross_entropy(o.flatten(0, 1), t.flatten())),
    ),
    (
        "bits_per_token",
        {},
        tokens,
        "bits_per_token",
        lambda o, t: float(-o.log_softmax(2).gather(2, t[..., None]).mean()) / math.log(2),
    ),
]


@pytest.mark.parametrize(("key", "arguments", "draw", "name", "by_hand"), CASES)
def test_every_sample_of_uneven_batches_counts_the_same(
    registry: Registry,
    key: str,
    arguments: dict[str, Any],
    draw: Callable[[int], Values],
    name: str,
    by_hand: Callable[..., Any],
) -> None:
    metric: TorchMetric = registry.get_module(f"metric.{key}").target(**arguments)
    for _ in range(2):  # the second time after a reset
        metric.reset()
        outputs, targets = draw(61)
        for part in (slice(0, 40), slice(40, 60), slice(60, 61)):
            told(metric, outputs[part], targets[part])
        assert metric.compute() == {name: pytest.approx(by_hand(outputs, targets), rel=1e-5)}


@pytest.mark.parametrize(("key", "arguments", "draw", "name", "by_hand"), CASES)
def test_an_empty_set_has_no_value(
    registry: Registry,
    key: str,
    arguments: dict[str, Any],
    draw: Callable[[int], Values],
    name: str,
    by_hand: Callable[..., Any],
) -> None:
    metric: TorchMetric = registry.get_module(f"metric.{key}").target(**arguments)
    assert metric.compute() == {}
    told(metric, *draw(0))
    assert metric.compute() == {}
    told(metric, *draw(8))
    metric.reset()
    assert metric.compute() == {}


def test_a_table_has_a_name_for_each_cell() -> None:
    metric = metrics_of_classes.confusion_matrix(num_classes=CLASSES)
    outputs, targets = classes(50)
    told(metric, outputs[:33], targets[:33])
    told(metric, outputs[33:], targets[33:])
    assert metric.compute() == {
        f"confusion_matrix/{row}/{column}": count
        for row, counts in enumerate(by_hand_matrix(outputs, targets))
        for column, count in enumerate(counts)
    }


def test_no_average_has_a_name_for_each_class() -> None:
    metric = metrics_of_classes.recall(num_classes=3, average="none")
    told(metric, torch.eye(3)[[0, 0, 2]], torch.tensor([0, 1, 2]))
    assert metric.compute() == {"recall/0": 1.0, "recall/1": 0.0, "recall/2": 1.0}


def test_values_are_picked_by_path() -> None:
    metric = accuracy(pred_path="heads.logits", target_path="y")
    logits, targets = classes(9)
    told(metric, {"heads": {"logits": logits}, "other": 0}, {"y": targets, "z": 0})
    assert metric.compute() == {"accuracy": pytest.approx(share(logits.argmax(1) == targets))}


def test_classes_at_every_position_count() -> None:
    metric = accuracy()
    outputs = torch.tensor([[[2.0, 0.0], [0.0, 2.0]]])  # (B, C, T)
    told(metric, outputs, torch.tensor([[0, 0]]))
    assert metric.compute() == {"accuracy": 0.5}


def test_what_is_masked_does_not_count() -> None:
    metric = accuracy(num_classes=2, mask_path="mask")
    outputs = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 2.0, 2.0]]])  # (B, C, T)
    batch = {"mask": [[1.0, 1.0, 0.0]]}
    told(metric, outputs, torch.tensor([[0, 0, 0]]), batch)
    told(metric, outputs, torch.tensor([[0, 0, 0]]), {"mask": [[0, 0, 0]]})
    assert metric.compute() == {"accuracy": 0.5}
    error = metrics_of_numbers.mean_absolute_error(mask_path="mask")
    told(error, torch.tensor([[1.0, 2.0, 9.0]]), torch.zeros(1, 3), batch)
    assert error.compute() == {"mean_absolute_error": 1.5}


def test_16_bits_are_added_up_in_32() -> None:
    metric = metrics_of_numbers.mean_squared_error()
    tenths = torch.full((4096,), 0.1, dtype=torch.bfloat16)
    told(metric, tenths, torch.zeros_like(tenths))
    assert metric.compute() == {
        "mean_squared_error": pytest.approx(float(tenths[0]) ** 2, rel=1e-6)
    }


def test_a_wrong_path_is_named() -> None:
    with pytest.raises(ParameterError, match="no `logit`"):
        told(accuracy(pred_path="logit"), {"logits": torch.ones(1, 2)}, torch.tensor([0]))


def test_a_logit_between_0_and_1_is_no_probability() -> None:
    metric = accuracy(task="binary", logits=True)
    told(metric, torch.tensor([0.25]), torch.tensor([1]))
    assert metric.compute() == {"accuracy": 1.0}
    area = metrics_of_classes.auroc(num_classes=2, logits=True)
    told(area, torch.tensor([[0.0, 0.5]]), torch.tensor([0]))
    told(area, torch.tensor([[-4.0, -3.0]]), torch.tensor([1]))
    assert area.compute() == {"auroc": 1.0}


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_outputs_that_are_no_probabilities_are_told(task: Any) -> None:
    with pytest.raises(ParameterError, match=r"from -1\.5 to 0\.25: these are no prob") as caught:
        told(accuracy(2, task=task), torch.tensor([[-1.5, 0.25]]), torch.tensor([[0, 1]]))
    assert caught.value.parameter == ("logits",)


def test_the_number_of_classes_is_asked_for() -> None:
    with pytest.raises(ParameterError, match="needed for task multilabel") as caught:
        metrics_of_classes.f1(task="multilabel")
    assert caught.value.parameter == ("num_classes",)


@pytest.mark.parametrize(
    ("name", "help"), [*METRICS_OF_CLASSES.items(), *METRICS_OF_NUMBERS.items()]
)
def test_the_help_of_a_key_is_the_first_line_of_its_docstring(
    registry: Registry, name: str, help: str
) -> None:
    target = registry.get_module(f"metric.{name}").target
    assert (inspect.getdoc(target) or "").splitlines()[0] == help


def with_metrics(name: str, *chosen: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {**config(name, {"max_epochs": 1}, **data), "metrics": list(chosen)}


@pytest.fixture
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.mark.usefixtures("_in_an_empty_folder")
def test_metrics_are_measured_on_validation_and_test() -> None:
    made = with_metrics(
        "both",
        {"_type_": "metric.mean_absolute_error"},
        {"_type_": "metric.r2"},
        test={"_type_": "dataset.noisy", "length": 5},
    )
    result = run_experiment(made)
    assert result.test_metrics.keys() >= {"loss", "mean_absolute_error", "r2"}
    text = (result.out_dir / "metrics.jsonl").read_text()
    assert text.count("mean_absolute_error") == 2


@pytest.mark.usefixtures("_in_an_empty_folder")
@pytest.mark.parametrize(
    ("chosen", "message", "index"),
    [
        (
            [{"_type_": "metric.perplexity"}],
            r"the metric failed on outputs .* with targets .*",
            0,
        ),
        (
            [{"_type_": "metric.r2"}, {"_type_": "metric.r2", "average": "variance"}],
            "another metric is called `r2`",
            1,
        ),
        ([{"_type_": "metric.r2", "pred_path": "y"}], "there is no `y`", 0),
    ],
)
def test_a_metric_that_does_not_fit_is_an_error_at_its_place(
    chosen: list[dict[str, Any]], message: str, index: int
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        run_experiment(with_metrics("wrong", *chosen))
    assert caught.value.config_path[:2] == ("metrics", index)
