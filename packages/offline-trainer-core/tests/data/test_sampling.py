"""Drawing rows by weights: how often each comes; any part of the order can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_constructor.errors import ParameterError
from offline_trainer.data.order import WeightedOrder
from offline_trainer.data.table import Table
from offline_trainer.experiment import run_experiment


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=50).filter(any),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_each_sample_comes_as_often_as_its_share_rounded_up_or_down(
    weights: list[int], seed: int, epoch: int
) -> None:
    of_each = np.array(weights, dtype=np.float64)
    order = WeightedOrder(of_each, seed, epoch)
    counts = np.bincount(order[:], minlength=len(weights))
    expected = of_each / of_each.sum() * len(weights)
    assert counts.sum() == len(weights)
    assert (np.abs(counts - expected) < 1 + 1e-9).all()
    assert not counts[of_each == 0].any()


def test_any_part_of_the_order_is_that_of_the_whole() -> None:
    order = WeightedOrder(np.arange(1.0, 100.0), seed=3, epoch=2)
    whole = order[:]
    parts = [order[start : start + 7] for start in range(0, 99, 7)]
    assert np.concatenate(parts).tolist() == whole.tolist()
    assert WeightedOrder(np.arange(1.0, 100.0), seed=3, epoch=3)[:].tolist() != whole.tolist()


def test_rare_samples_are_not_always_drawn_together() -> None:
    weights = np.ones(100)
    weights[:50] = 0.5
    seen = [
        frozenset(drawn for drawn in WeightedOrder(weights, 0, epoch)[:].tolist() if drawn < 50)
        for epoch in range(20)
    ]
    assert len(set(seen)) == 20


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "t.csv"
    rows = "".join(f"{n},{'rare' if n % 10 == 0 else 'often'},{n % 4}\n" for n in range(200))
    file.write_text("n,kind,weight\n" + rows)
    return file


def ready(path: Path, **kwargs: Any) -> Table:
    data = Table(path, **{"target": "n", "features": ["weight"], "batch_size": 16, **kwargs})
    data.setup("fit")
    return data


def epoch_of(data: Table) -> list[float]:
    return [value for batch in data.train_dataloader() for value in batch["y"].tolist()]


def test_classes_are_balanced_in_each_epoch(table: Path) -> None:
    data = ready(table, sampling={"balance": "kind"}, split={"test": 0.5})
    for _ in range(3):
        drawn = epoch_of(data)
        assert len(drawn) == 100
        assert abs(sum(value % 10 == 0 for value in drawn) - 50) <= 1


def test_weighted_rows_of_the_training_part_alone_are_drawn(table: Path) -> None:
    data = ready(table, sampling={"weights": "weight"}, split={"test": 0.5})
    tested = data.test_dataloader()
    assert tested is not None
    test_rows = {value for batch in tested for value in batch["y"].tolist()}
    drawn = epoch_of(data)
    assert not set(drawn) & test_rows
    assert all(value % 4 for value in drawn)


def test_a_weighted_epoch_goes_on_from_any_batch(table: Path) -> None:
    data = ready(table, sampling={"weights": "weight"})
    data.set_position(4, 0)
    whole = epoch_of(data)
    for batch in range(13):
        data.set_position(4, batch)
        assert epoch_of(data) == whole[batch * 16 :]


@pytest.mark.parametrize("sampling", [None, {"weights": "weight"}, {"balance": "kind"}])
@pytest.mark.parametrize("stop", [1, 5, 13, 20])
def test_a_run_that_stopped_anywhere_goes_on_to_the_same_bytes(
    stop: int, sampling: dict[str, str] | None, table: Path, small_config: Callable[..., Any]
) -> None:
    data = {
        "_type_": "data.table",
        "path": str(table),
        "target": ["n"],
        "features": ["weight"],
        "transforms": [{"_type_": "transform.quantile", "columns": ["n", "weight"]}],
        "split": {"val": 0.2, "stratify": "kind"},
        "sampling": sampling,
        "batch_size": 24,
    }
    config = small_config(data=data, trainer={"max_epochs": 4})
    layers = config["model"]["sequential"]["layers"]
    layers[0]["in_features"], layers[-1]["out_features"] = 1, 1
    whole = run_experiment(config, ["run.out_dir=whole"]).out_dir
    run_experiment(config, ["run.out_dir=parts", f"trainer.max_steps={stop}"])
    parts = run_experiment(config, ["run.out_dir=parts"], resume="auto").out_dir
    assert last_weights(whole) == last_weights(parts)
    for name in ("transforms.json", "split.json"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes()


def last_weights(run: Path) -> bytes:
    *_, newest = sorted((run / "checkpoints").glob("step-*"))
    assert newest.name == "step-000000000028"
    return (newest / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("kwargs", "parameter", "message"),
    [
        ({"sampling": "balance"}, ("sampling",), "got 'balance'"),
        ({"sampling": {"balanced": "kind"}}, ("sampling", "balanced"), "unknown key `balanced`"),
        ({"sampling": {"balance": 3}}, ("sampling", "balance"), "the name of a column, got 3"),
        ({"sampling": {"balance": "knd"}}, ("sampling", "balance"), "has no column `knd`"),
        ({"sampling": {"balance": "kind"}, "shuffle": False}, ("shuffle",), "no order to keep"),
    ],
)
def test_sampling_that_cannot_be_is_refused(
    table: Path, kwargs: dict[str, Any], parameter: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        ready(table, **kwargs)
    assert caught.value.parameter == parameter
    assert message in caught.value.message


def test_a_negative_weight_is_located(table: Path) -> None:
    table.write_text("n,weight\n1,1\n2,-3\n")
    with pytest.raises(ParameterError, match=r"t\.csv, line 3: weight -3\.0 is not 0 or more"):
        ready(table, sampling={"weights": "weight"})
