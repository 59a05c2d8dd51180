"""A dry run with torch models: what is counted, and where a mistake is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run_files import fingerprint
from small_runs import config

from model_constructor.errors import ConfigError
from offline_trainer.dry_run import dry_run
from offline_trainer.experiment import run_experiment


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_lazy_sizes_are_known_and_frozen_parameters_counted_apart(tmp_path: Path) -> None:
    tried = dry_run(config("dry"), ["++model.freeze=[layer_0.*]"])
    all_of_them, trained = tried.parameters["model"]
    assert trained == 8 + 1
    assert all_of_them > trained
    assert list(tmp_path.iterdir()) == []


def test_workers_end_with_it(tmp_path: Path) -> None:
    tried = dry_run(config("dry", num_workers=2))
    assert tried.batches == {"train": 6, "val": 2}
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_size_is_shown_at_its_layer() -> None:
    wrong: dict[str, Any] = config("dry")
    wrong["model"]["sequential"]["layers"][2]["in_features"] = 9
    with pytest.raises(ConfigError, match="wants 9 features, gets") as caught:
        dry_run(wrong)
    assert caught.value.config_path == ("model", "sequential", "layers", 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_limited_to_some_batches_does_not_depend_on_workers(workers: int) -> None:
    def train(name: str, **data: Any) -> dict[str, str]:
        limited = config(name, {"max_epochs": 2}, **data)
        limited["run"]["limit_batches"] = 3
        result = run_experiment(limited)
        assert result.global_step == 2 * 3
        return fingerprint(result.out_dir)

    assert train("golden") == train("other", num_workers=workers)
