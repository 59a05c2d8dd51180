"""What docs/training.md says of the loop is what the loop does."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from run_files import fingerprint
from small_experiment import SMALL

from offline_trainer.callbacks.hooks import HOOK_NAMES
from offline_trainer.experiment import run_experiment
from offline_trainer.protocols import Objective

PAGE = (Path(__file__).parent.parent / "docs/training.md").read_text()

CALLED: list[str] = []


class Recorder:
    """Notes every point of the loop."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in HOOK_NAMES:
            raise AttributeError(name)
        return lambda state, control: CALLED.append(name)


def test_points_are_called_in_the_order_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("recorder")
    vars(module)["register"] = lambda registry: registry.add("cb.recorder", Recorder)
    monkeypatch.setitem(sys.modules, "recorder", module)
    config = json.loads(json.dumps(SMALL))
    config["settings"]["allowed_import_prefixes"].append("recorder")
    config["imports"].append("recorder")
    config["data"]["batch_size"] = 64
    config["callbacks"].append({"_type_": "cb.recorder"})
    config["trainer"] |= {"max_epochs": 2, "test_after_fit": False}
    CALLED.clear()
    run_experiment(config)
    (listed,) = re.findall(r"```text\n(on_.*?)```", PAGE, re.S)
    during = CALLED[CALLED.index("on_fit_start") : CALLED.index("on_fit_end")]
    assert during == ["on_fit_start", *2 * listed.split()]


def test_every_method_of_an_objective_is_told_what_it_is_for() -> None:
    optional = ("bind", "start", "after_step", "state_dict", "load_state_dict")
    methods = [name for name in vars(Objective) if not name.startswith("_")]
    assert [name for name in (*methods, *optional) if f"`{name}(" not in PAGE] == []
    assert all(f"``{name}(" in str(Objective.__doc__) for name in optional)


def test_the_page_s_own_objective_learns_and_resumes_exactly(
    experiments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "configs").symlink_to(experiments.parent)
    for name in ("mixup.py", "mixup.yaml"):
        (text,) = re.findall(rf"```\w+\n(# {name}\n.*?)```", PAGE, re.S)
        (tmp_path / name).write_text(text)
    code = (tmp_path / "mixup.py").read_text().partition("class ")[2].partition("def register")[0]
    assert 10 <= len([line for line in code.splitlines() if line.strip()]) <= 30
    saving = "callbacks=[{_type_: cb.model_checkpoint}]"

    def train(name: str, *overrides: str, resume: str | None = None) -> Path:
        changes = [f"run.name={name}", saving, "trainer.progress=false", *overrides]
        return run_experiment("mixup.yaml", changes, resume=resume).out_dir

    try:
        golden = train("golden")
        rows = (golden / "metrics.jsonl").read_text().splitlines()
        assert json.loads(rows[-1])["accuracy"] > 0.9
        train("parts", "trainer.max_steps=50")
        assert fingerprint(train("parts", resume="auto")) == fingerprint(golden)
    finally:
        sys.modules.pop("mixup", None)
