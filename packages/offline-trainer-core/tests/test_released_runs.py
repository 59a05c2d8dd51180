"""Run directories of every release are loaded and gone on with: a released format is for ever."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
from run_files import rows
from small_experiment import SMALL

from offline_trainer.checkpoint.reading import load, step_directories
from offline_trainer.experiment import run_experiment

RELEASED = sorted((Path(__file__).parent / "released").iterdir())
CALLBACKS = [
    {"_type_": "cb.model_checkpoint", "every_n_steps": 3, "keep_last": 2},
    {"_type_": "cb.ema", "decay": 0.9},
]


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.name)
def test_a_released_run_is_gone_on_with(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(released / "run", "run")
    for step, path in step_directories(Path("run/checkpoints")).items():
        assert load(path).step == step
    before = rows(Path("run"))
    config = {**copy.deepcopy(SMALL), "callbacks": CALLBACKS}
    result = run_experiment(config, resume="auto")
    assert result.global_step == 16
    manifest = json.loads(Path("run/run.json").read_text())
    recorded = json.loads((released / "run/run.json").read_text())
    assert (manifest["run_id"], manifest["attempt"]) == (recorded["run_id"], 2)
    kept = [row for row in before if row["stage"] != "test" and row["step"] < 7]
    assert rows(Path("run"))[: len(kept)] == kept
    golden = run_experiment({**config, "run": {**config["run"], "out_dir": "golden"}})
    # Another processor may round otherwise than the one that the run was made on.
    ours, theirs = rows(result.out_dir, "test")[0], rows(golden.out_dir, "test")[0]
    for name in ("loss", "rmse", "mae"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-9)
