"""Data in memory: blocks of batches that the engine places, and arrays that stay on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_runs
import torch

import offline_trainer.data.batches
from model_constructor.errors import ParameterError
from offline_trainer.data.arrays import Arrays
from offline_trainer.data.batches import ArrayLoader
from offline_trainer.data.order import EpochOrder
from offline_trainer.errors import DivergedError
from offline_trainer.experiment import run_experiment
from offline_trainer.windows import placed_batches
from offline_trainer_torch.engine import TorchEngine

ROWS = 23


def arrays() -> dict[str, Any]:
    return {
        "x": np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3),
        "y": np.arange(ROWS),
        "name": np.array([f"row {row}" for row in range(ROWS)]),
    }


@pytest.mark.parametrize("block_bytes", [1, 200, 1 << 20])
@pytest.mark.parametrize("start", [0, 2, 6])
def test_placed_batches_are_the_loaders_own(
    monkeypatch: pytest.MonkeyPatch, block_bytes: int, start: int
) -> None:
    monkeypatch.setattr(offline_trainer.data.batches, "_GATHER_BYTES", block_bytes)
    monkeypatch.setattr(offline_trainer.data.batches, "_ORDERED_ROWS", 8)
    loader = ArrayLoader(arrays(), batch_size=4, order=EpochOrder(ROWS, 0, 0), start_batch=start)
    engine = TorchEngine()
    placed = list(
        placed_batches(loader.blocks(), 4, lambda batch: len(batch["y"]) / 2, engine.place_block)
    )
    expected = list(loader)
    assert len(placed) == len(expected) == len(loader) == 6 - start
    for found, batch in zip(placed, expected, strict=True):
        assert found.is_placed
        assert found.weight == len(batch["y"]) / 2
        assert isinstance(found.data["x"], torch.Tensor)
        assert {name: np.asarray(values).tolist() for name, values in found.data.items()} == {
            name: values.tolist() for name, values in batch.items()
        }


def config(tmp_path: Path, name: str, **data: Any) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    np.savez(
        tmp_path / "data.npz",
        x=generator.standard_normal((50, 3), dtype=np.float32),
        y=generator.standard_normal((50, 1), dtype=np.float32),
    )
    found = small_runs.config(name)
    found["data"] = {
        "_type_": "data.arrays",
        "path": str(tmp_path / "data.npz"),
        "batch_size": 8,
        "split": {"val": 0.2},
        **data,
    }
    return found


def test_a_run_whose_data_stay_on_the_device_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, data in (("copied", {}), ("kept", {"on_device": True})):
        run_experiment(config(tmp_path, name, **data))
    copied, kept = (
        (tmp_path / "runs" / name / "metrics.jsonl").read_text() for name in ("copied", "kept")
    )
    assert copied == kept
    assert "val" in copied


def test_arrays_are_gathered_where_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.arange(10.0))
    kept, plain = (Arrays(tmp_path / "data.npz", 4, on_device=each) for each in (True, False))
    for data in (kept, plain):
        data.setup("fit")
        data.keep_on_device(TorchEngine().place)
    for ours, theirs in zip(kept.train_dataloader(), plain.train_dataloader(), strict=True):
        assert isinstance(ours["x"], torch.Tensor)
        assert ours["x"].tolist() == theirs["x"].tolist()


@pytest.mark.parametrize(
    ("place", "message"),
    [(None, "this engine keeps no arrays"), ("full", "the arrays do not fit the device: 3 GiB")],
)
def test_a_device_that_cannot_keep_the_arrays_is_told(
    tmp_path: Path, place: str | None, message: str
) -> None:
    def refuse(arrays: Any) -> Any:
        raise MemoryError("3 GiB wanted")

    np.savez(tmp_path / "data.npz", x=np.arange(10.0))
    data = Arrays(tmp_path / "data.npz", 4, on_device=True)
    data.setup("fit")
    with pytest.raises(ParameterError, match=message) as caught:
        data.keep_on_device(refuse if place else None)
    assert caught.value.parameter == ("on_device",)


@pytest.mark.parametrize("row", [0, 49])
def test_data_that_are_not_finite_are_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    row: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = config(tmp_path, "nan", split={"column": "part"})
    with np.load(tmp_path / "data.npz") as file:
        data = dict(file)
    data["x"][row, 1] = np.nan
    np.savez(tmp_path / "data.npz", **data, part=np.array(["train"] * 40 + ["val"] * 10))
    if row < 40:
        with pytest.raises(DivergedError, match="first in `x` of the batch") as caught:
            run_experiment(found)
        assert "the data hold it: leave out these rows" in (caught.value.help or "")
    else:
        run_experiment(found)
        assert "the val loss at step 5 is nan" in capsys.readouterr().err
