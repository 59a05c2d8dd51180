"""What a resumed run's config says otherwise: only what changes the run, read as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_constructor.config.resolve import resolve_config
from offline_trainer.run.config_changes import config_changes
from offline_trainer.run.config_hash import config_hash

STORED = """\
schema_version: 1
run: {name: one, out_dir: runs/one}
trainer: {max_epochs: 3}
callbacks: [{_type_: cb.model_checkpoint, save_dir: runs/one/checkpoints}]
"""


def store(run: Path, text: str) -> str:
    """Be a run with this config; return its hash."""
    file = run / "config.resolved.yaml"
    file.write_text(text)
    return config_hash(resolve_config(file, untrusted=True).data)


def test_only_what_changes_the_run_is_told(tmp_path: Path) -> None:
    hashed = store(tmp_path, STORED)
    now = {
        "schema_version": 1,
        "run": {"name": "two", "out_dir": "runs/two"},
        "trainer": {"max_epochs": 5},
        "callbacks": [{"_type_": "cb.model_checkpoint", "save_dir": "runs/two/checkpoints"}],
        "loggers": [{"_type_": "log.stdout"}],
        "scheduler": None,
    }
    told = "trainer.max_epochs: 3 → 5; scheduler: unset → None"
    assert config_changes(tmp_path, hashed, now) == told


def test_another_config_than_that_of_the_checkpoint_is_not_compared_with(tmp_path: Path) -> None:
    store(tmp_path, STORED)
    told = config_changes(tmp_path, "0" * 64, {"schema_version": 1})
    assert told == f"what it was cannot be told, for the config in {tmp_path} is another one"


def test_the_stored_config_of_a_stranger_reads_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME_OF", "/home/ada")
    file = tmp_path / "config.resolved.yaml"
    file.write_text("schema_version: 1\nparams: {a: '${env:HOME_OF}'}\n")
    assert "no readable config" in config_changes(tmp_path, "0" * 64, {"schema_version": 1})
