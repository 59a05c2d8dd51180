"""Distributions with plugins on ``sys.path``, and ``ot`` called in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from plugin_sources import GOOD, write_distribution

from offline_trainer.cli import main
from offline_trainer.experiment import run_experiment

Install = Callable[..., Path]
Ot = Callable[..., Result]
Train = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one plugin module on ``sys.path``; answers its folder."""
    before = set(sys.modules)
    site = tmp_path / "site"

    def make(module: str, source: str | None = GOOD, **names: Any) -> Path:
        folder = write_distribution(site, module, source, **names)
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield make
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(site)):
            del sys.modules[name]


@pytest.fixture
def ot(monkeypatch: pytest.MonkeyPatch) -> Ot:
    """``ot(*arguments)``; stdout and stderr apart, no plugin settings from outside."""
    for name in [name for name in os.environ if name.startswith("OT_")]:
        monkeypatch.delenv(name)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), prog_name="ot")

    return call


@pytest.fixture
def train(small_config: Callable[..., dict[str, Any]]) -> Train:
    """Train on the numpy engine in the current folder: checkpoints of steps 4, 8, 12 and 16."""

    def call(out_dir: str = "run", resume: str | None = None, **sections: Any) -> Path:
        config = small_config(run={"out_dir": out_dir}, **sections)
        run_experiment(config, resume=resume)
        return Path(out_dir)

    return call
