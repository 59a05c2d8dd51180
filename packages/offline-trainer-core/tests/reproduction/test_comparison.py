"""Two runs' files: equal as far as they are to be, or the first difference."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offline_trainer.experiment import run_experiment
from offline_trainer.reproduction.comparison import compare_checkpoints, compare_metrics
from offline_trainer.reproduction.recorded import read_checkpoints

MakeConfig = Callable[..., dict[str, Any]]

LINES = [
    '{"step": 4, "epoch": 1, "stage": "train", "loss": 0.5, "lr": 0.1}',
    '{"step": 4, "epoch": 1, "stage": "val", "loss": 0.31}',
    '{"step": 8, "epoch": 2, "stage": "train", "loss": null}',
]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (LINES[1].replace("0.31", "0.32"), "line 2: val loss 0.31 in the run, 0.32 now"),
        (LINES[1].replace("0.31", "null"), "line 2: val loss 0.31 in the run, null now"),
        (LINES[1].replace('"loss"', '"mae"'), "line 2: val loss 0.31 in the run, none now"),
        (LINES[1].replace('"val"', '"test"'), 'line 2: stage "val" in the run, "test" now'),
        (LINES[1].replace('"step": 4', '"step": 5'), "line 2: val step 4 in the run, 5 now"),
        (LINES[1].replace(" ", ""), 'line 2: \'{"step": 4, '),
        ("[" * 9999, 'line 2: \'{"step": 4, '),
        ("\0\xff", 'line 2: \'{"step": 4, '),
        ("3", 'line 2: \'{"step": 4, '),
    ],
)
def test_the_first_line_that_differs_is_named(line: str, told: str, tmp_path: Path) -> None:
    first, second = tmp_path / "metrics.jsonl", tmp_path / "second"
    first.write_text("\n".join(LINES))
    second.write_bytes("\n".join([LINES[0], line, LINES[2]]).encode("latin-1"))
    found = compare_metrics(first, second, None)
    assert found.equal == 1
    assert found.difference.startswith(f"metrics.jsonl {told}")


def test_the_ends_count_unless_only_a_part_is_to_be_equal(tmp_path: Path) -> None:
    first, second = tmp_path / "metrics.jsonl", tmp_path / "second"
    first.write_text("\n".join(LINES) + "\n")
    second.write_text("\n".join(LINES[:2]) + "\n")
    found = compare_metrics(first, second, None)
    assert (found.equal, found.difference) == (2, "metrics.jsonl line 3 is only in the run")
    found = compare_metrics(second, first, None)
    assert found.difference == "second line 3 is only in what was made now"
    size = second.stat().st_size
    assert compare_metrics(first, second, size) == compare_metrics(second, first, size)
    assert compare_metrics(first, second, size).equal == 2
    assert compare_metrics(first, second, size + 1).difference != ""
    assert compare_metrics(first, first, None).equal == 3


@pytest.fixture
def folders(small_config: MakeConfig) -> tuple[Path, Path]:
    """The checkpoints of a run, and a copy of them."""
    first = run_experiment(small_config()).out_dir / "checkpoints"
    shutil.copytree(first, "copy")
    return first, Path("copy").resolve()


def compare(folders: tuple[Path, Path]) -> Any:
    return compare_checkpoints(folders, *(read_checkpoints(each) for each in folders))


def test_equal_checkpoints_are_counted_with_the_tensors_of_the_last(
    folders: tuple[Path, Path],
) -> None:
    found = compare(folders)
    assert (found.equal, found.difference, found.tensors) == (4, "", 4 + 4 + 3)


def test_a_checkpoint_that_only_the_first_has_counts_where_it_is_the_last(
    folders: tuple[Path, Path],
) -> None:
    shutil.rmtree(folders[1] / "step-000000000008")
    assert compare(folders).difference == ""
    shutil.rmtree(folders[0] / "step-000000000004")
    assert compare(folders).equal == 2
    shutil.rmtree(folders[1] / "step-000000000016")
    assert compare(folders).difference == "the checkpoint of step 16 is only in the run"


def test_the_lowest_step_that_differs_is_named_with_its_tensor(
    folders: tuple[Path, Path], small_config: MakeConfig
) -> None:
    other = run_experiment(small_config(), ["optimizer.lr=0.04", "run.out_dir=other"])
    shutil.rmtree(folders[1] / "step-000000000008")
    shutil.copytree(
        other.out_dir / "checkpoints/step-000000000008", folders[1] / "step-000000000008"
    )
    found = compare(folders)
    assert found.equal == 1
    assert found.difference.startswith("checkpoint of step 8: model.safetensors: tensor `model.")


def test_what_is_no_tensor_is_named_too(
    folders: tuple[Path, Path], small_config: MakeConfig
) -> None:
    config = small_config(trainer={"log_every_n_steps": 2})
    other = run_experiment({**config, "run": {**config["run"], "out_dir": "other"}})
    found = compare((folders[0], other.out_dir / "checkpoints"))
    assert found.difference.startswith("checkpoint of step 4: state.json: loop.")


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
def test_bytes_that_are_not_what_the_manifest_says_are_told(
    name: str, folders: tuple[Path, Path]
) -> None:
    file = folders[0] / "step-000000000016" / name
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    found = compare(folders)
    assert name in found.difference
    assert "its manifest says" in found.difference


def test_no_checkpoints_are_nothing_to_compare(tmp_path: Path) -> None:
    assert compare((tmp_path / "none", tmp_path)).difference == ""
