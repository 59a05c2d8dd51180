"""What a run does about a step that is not finite, for each engine to inherit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from poison import RecordWindows

from offline_trainer.checkpoint.finite import refuse_non_finite
from offline_trainer.checkpoint.reading import load, step_directories
from offline_trainer.errors import DivergedError
from offline_trainer.experiment import RunResult, run_experiment

AT_STEP = 5
BAD_ROW = 3  # not in the first two batches of the first epoch
OF_A_STEP = ("loss", "gradient")
OF_THE_STATE = ("parameter", "optimizer")
FIRST = {"loss": "the loss", "gradient": "the gradient of `", "parameter": "parameter `"}
EVERYWHERE = (*OF_A_STEP, *OF_THE_STATE)


class NonFiniteCases:
    """Subclass it and give `config`: 16 steps in 4 epochs, momentum, a checkpoint every 2 steps."""

    @pytest.fixture(autouse=True)
    def _empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def config(self, out_dir: str = "run") -> dict[str, Any]:
        raise NotImplementedError

    def poisoned(self, what: str | None, policy: str, out_dir: str = "run") -> dict[str, Any]:
        config = self.config(out_dir)
        config["settings"]["allowed_import_prefixes"].append("poison")
        config["imports"] = [*config["imports"], "poison"]
        config["trainer"]["on_nonfinite"] = policy
        config["objective"] = {"_type_": "objective.poisoned", "at_step": AT_STEP}
        poison = {"_type_": "cb.poison", "at_step": AT_STEP}
        if what is not None:
            (config["objective"] if what in OF_A_STEP else poison)["what"] = what
        config["callbacks"] = [
            {"_type_": "cb.model_checkpoint", "every_n_steps": 2, "keep_last": None},
            {"_type_": "cb.record_windows"},
            poison,
        ]
        return config

    @pytest.mark.parametrize("what", EVERYWHERE)
    def test_raise_names_the_step_its_data_and_the_first_tensor(self, what: str) -> None:
        config = self.poisoned(what, "raise")
        config["objective"]["times"] = 2  # for the step is repeated
        with pytest.raises(DivergedError) as caught:
            run_experiment(config)
        message = str(caught.value)
        if what == "optimizer":  # the loss is finite still: it is the save that finds it
            assert f"step {AT_STEP + 1} is not saved: tensor `" in message
        else:
            assert f"step {AT_STEP + 1} is not finite; first in {FIRST[what]}" in message
            assert "from batch 1 of epoch 1 on" in message
        assert caught.value.exit_code == 3
        assert json.loads(Path("run/status.json").read_text())["state"] == "diverged"
        self._assert_checkpoints_finite("run")

    @pytest.mark.parametrize("what", OF_A_STEP)
    def test_skip_counts_and_goes_on(self, what: str, capsys: pytest.CaptureFixture[str]) -> None:
        result = run_experiment(self.poisoned(what, "skip"))
        assert (result.outcome, result.global_step) == ("done", 16)
        assert "step 6 is not finite" in capsys.readouterr().err
        rows = _train_rows(result)
        assert [row.get("skipped_steps") for row in rows[-2:]] == [1.0, 1.0]
        assert all(np.isfinite(row["loss"]) for row in rows)
        self._assert_checkpoints_finite("run")

    @pytest.mark.parametrize("what", OF_THE_STATE)
    def test_skip_ends_the_run_where_the_state_is_not_finite(self, what: str) -> None:
        with pytest.raises(DivergedError, match="is not finite"):
            run_experiment(self.poisoned(what, "skip"))
        self._assert_checkpoints_finite("run")

    @pytest.mark.parametrize("what", EVERYWHERE)
    def test_rollback_leaves_out_the_window_and_goes_on(
        self, what: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        result = run_experiment(self.poisoned(what, "rollback"))
        assert (result.outcome, result.global_step) == ("done", 16)
        assert "1 of 3 times" in capsys.readouterr().err
        assert max(RecordWindows.seen.count(window) for window in RecordWindows.seen) == 2
        newest = load(max((result.out_dir / "checkpoints").glob("step-*")))
        ((epoch, batch),) = newest.loop_state["measurements"]["non_finite"]["left_out"]
        # What was not finite before the step came of the step before.
        assert RecordWindows.seen.count((epoch, batch)) == 1
        assert (epoch, batch) == ((1, 0) if what == "parameter" else (1, 1))
        self._assert_checkpoints_finite("run")

    def test_rollback_leaves_out_at_most_three_windows(self) -> None:
        config = self.poisoned("loss", "rollback")
        config["objective"]["times"] = 99
        with pytest.raises(DivergedError, match="has gone back 3 times already"):
            run_experiment(config)
        self._assert_checkpoints_finite("run")

    def test_rollback_without_a_checkpoint_says_so(self) -> None:
        config = self.poisoned("loss", "rollback")
        config["callbacks"][0]["every_n_steps"] = 10
        with pytest.raises(DivergedError, match="there is no checkpoint to go back to"):
            run_experiment(config)

    @pytest.mark.parametrize("policy", ["skip", "rollback"])
    @pytest.mark.parametrize("stop", [2, 4, 7, 12])
    def test_a_runwith_bad_data_resumes_exactly(self, policy: str, stop: int) -> None:
        golden, parts = self.with_bad_data(policy, "golden"), self.with_bad_data(policy, "parts")
        whole = run_experiment(golden)
        limits = [f"trainer.max_steps={stop}", "trainer.test_after_fit=false"]
        assert run_experiment(parts, limits).global_step == stop
        resumed = run_experiment(parts, resume="auto")
        assert resumed.global_step == whole.global_step
        assert newest_files(resumed) == newest_files(whole)

    def with_bad_data(self, policy: str, out_dir: str) -> dict[str, Any]:
        """Two epochs of 4 batches; one sample is NaN, so it is met twice."""
        config = self.poisoned(None, policy, out_dir)
        random = np.random.default_rng(0)
        x, y = random.standard_normal((32, 4)), random.standard_normal((32, 2))
        x[BAD_ROW, 0] = y[BAD_ROW, 0] = np.nan
        np.savez("bad.npz", x=x.astype(np.float32), y=y.astype(np.float32))
        config["data"] = {"_type_": "data.arrays", "path": "bad.npz", "batch_size": 8}
        config["trainer"]["max_epochs"] = 4
        config["trainer"]["max_steps"] = 14
        if policy == "rollback":
            config["trainer"]["max_epochs"] = 3
        return config

    def test_cadence_of_logging_changes_nothing(self) -> None:
        weights = []
        for every in (1, 50):
            config = self.with_bad_data("rollback", f"log-{every}")
            config["trainer"]["log_every_n_steps"] = every
            files = newest_files(run_experiment(config))
            weights.append({n: c for n, c in files.items() if n.endswith("safetensors")})
        assert weights[0] == weights[1]

    def _assert_checkpoints_finite(self, out_dir: str) -> None:
        found = step_directories(Path(out_dir, "checkpoints"))
        assert found
        for path in found.values():
            checkpoint = load(path)
            refuse_non_finite(checkpoint.state, checkpoint.step)


def _train_rows(result: RunResult) -> list[dict[str, Any]]:
    lines = (result.out_dir / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["stage"] == "train"]


def newest_files(result: RunResult) -> dict[str, bytes]:
    newest = max((result.out_dir / "checkpoints").glob("step-*"))
    files = [path for path in newest.iterdir() if path.name != "MANIFEST.json"]
    return {path.name: path.read_bytes() for path in (*files, result.out_dir / "metrics.jsonl")}

    def test_the_loggers_lose_what_a_rollback_takes_back(self) -> None:
        config = self.poisoned("loss", "rollback")
        config["loggers"] = [{"_type_": "log.csv"}]
        config["trainer"]["log_every_n_steps"] = 1
        run_experiment(config)
        rows = [line.split(",")[:3] for line in Path("run/metrics.csv").read_text().splitlines()]
        logged = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
        assert rows[1:] == [[str(row[n]) for n in ("step", "epoch", "stage")] for row in logged]

    def test_steps_that_were_all_skipped_still_have_a_row(self) -> None:
        config = self.poisoned("loss", "skip")
        config["trainer"]["log_every_n_steps"] = 1
        run_experiment(config)
        rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
        (row,) = [row for row in rows if (row["step"], row["stage"]) == (AT_STEP, "train")]
        assert row["skipped_steps"] == 1
        assert "loss" not in row
