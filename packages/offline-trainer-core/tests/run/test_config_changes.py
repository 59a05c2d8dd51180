"""What a resumed run's config says otherwise: only what changes the run, read as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from offline_trainer.run.config_changes import config_changes

STORED = """\
schema_version: 1
run: {name: one, out_dir: runs/one}
trainer: {max_epochs: 3}
callbacks: [{_type_: cb.model_checkpoint, save_dir: runs/one/checkpoints}]
"""


def test_only_what_changes_the_run_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.resolved.yaml"
    file.write_text(STORED)
    now = {
        "schema_version": 1,
        "run": {"name": "two", "out_dir": "runs/two"},
        "trainer": {"max_epochs": 5},
        "callbacks": [{"_type_": "cb.model_checkpoint", "save_dir": "runs/two/checkpoints"}],
        "loggers": [{"_type_": "log.stdout"}],
        "scheduler": None,
    }
    assert config_changes(file, now) == "trainer.max_epochs: 3 → 5; scheduler: unset → None"


def test_the_stored_config_of_a_stranger_reads_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME_OF", "/home/ada")
    file = tmp_path / "config.resolved.yaml"
    file.write_text("schema_version: 1\nparams: {a: '${env:HOME_OF}'}\n")
    assert "/home/ada" not in config_changes(file, {"schema_version": 1})
