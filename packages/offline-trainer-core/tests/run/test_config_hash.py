"""The hash of a config changes with what is trained, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from offline_trainer.run.config_hash import config_hash


def config(out_dir: str = "runs/one", **changes: Any) -> dict[str, Any]:
    return {
        "run": {"name": "one", "out_dir": out_dir, "seed": 0},
        "trainer": {"max_epochs": 3, "log_every_n_steps": 10},
        "callbacks": [{"save_dir": f"{out_dir}/checkpoints"}, {"note": f"{out_dir}-2"}],
        "loggers": [{"_type_": "log.stdout"}],
        **changes,
    }


BASE = config_hash(config())


def test_the_order_of_keys_does_not_matter() -> None:
    assert config_hash(dict(reversed(config().items()))) == BASE


@pytest.mark.parametrize(
    "changed",
    [
        config(run={"name": "two", "out_dir": "runs/one", "seed": 0}),
        config(run={"name": "one", "out_dir": "runs/one", "seed": 0, "resume_from": "x"}),
        config(loggers=[]),
        config(trainer={"max_epochs": 3, "log_every_n_steps": 1, "progress": False}),
    ],
)
def test_names_places_and_display_do_not_matter(changed: dict[str, Any]) -> None:
    assert config_hash(changed) == BASE


def test_a_path_inside_the_run_directory_moves_with_it() -> None:
    one = {"run": {"out_dir": "a"}, "callbacks": [{"save_dir": "a/checkpoints"}, {"dir": "a"}]}
    two = {"run": {"out_dir": "b"}, "callbacks": [{"save_dir": "b/checkpoints"}, {"dir": "b"}]}
    three = {"run": {"out_dir": "b"}, "callbacks": [{"save_dir": "c/checkpoints"}, {"dir": "b"}]}
    assert config_hash(one) == config_hash(two) != config_hash(three)


def test_a_path_beside_the_run_directory_does_not_move_with_it() -> None:
    one = {"run": {"out_dir": "a"}, "data": {"path": "a-2"}}
    two = {"run": {"out_dir": "b"}, "data": {"path": "a-2"}}
    assert config_hash(one) == config_hash(two)


@pytest.mark.parametrize(
    "changed",
    [
        config(run={"name": "one", "out_dir": "runs/one", "seed": 1}),
        config(trainer={"max_epochs": 4, "log_every_n_steps": 10}),
        config(trainer={"max_epochs": 3.0, "log_every_n_steps": 10}),
        config(optimizer=None),
        config(callbacks=[]),
        config(callbacks=[{"save_dir": "runs/one/checkpoints"}, {"note": "runs/one-3"}]),
    ],
)
def test_everything_else_matters(changed: dict[str, Any]) -> None:
    assert config_hash(changed) != BASE
