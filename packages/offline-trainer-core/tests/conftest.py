"""Small experiments on the numpy engine, so that core is tested without a framework."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_experiment import SMALL, Config


@pytest.fixture
def small_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """A function that makes a small config, with sections replaced; runs in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def make(**sections: Any) -> Config:
        config = copy.deepcopy(SMALL)
        for name, value in sections.items():
            if isinstance(value, dict) and "_type_" not in value and name in config:
                config[name] = {**config[name], **value}
            else:
                config[name] = value
        return config

    return make
