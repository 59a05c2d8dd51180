"""Each shipped config runs as it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from offline_trainer.cli import main
from offline_trainer.experiment import run_experiment
from ot_process import RunOt
from small_fashion_mnist import INSTALLED, NOT_INSTALLED, small_fashion_mnist

EXPERIMENTS = ("baseline", "sgd_step_lr", "custom_plugin", "graph_skip")


class Longer(NamedTuple):
    """What takes too long to be trained whole at each commit.

    Attributes:
        metric: Which of its test part is looked at.
        small: What makes it shorter.
        learned: The value to beat then.
        reached: The value to beat when it is trained whole.
    """

    metric: str
    small: tuple[str, ...]
    learned: float
    reached: float


SMALL_TEXT = ("data.pattern=json/*.py", "params.positions=32", "params.dim=32", "params.depth=1")
WHOLE = {
    "digits_conv": Longer("accuracy", ("trainer.max_epochs=1",), 0.5, 0.985),
    "fashion_mnist": Longer("accuracy", ("trainer.max_epochs=1",), 0.5, 0.91),
    "breast_cancer": Longer("auroc", ("trainer.max_epochs=2",), 0.9, 0.98),
    "diabetes": Longer("r2", ("trainer.max_epochs=3",), 0.1, 0.4),
    # Bits per character: of 128 characters alike, there would be 7; counts of n-grams reach 2.305.
    "char_lm": Longer("bits_per_token", (*SMALL_TEXT, "trainer.max_steps=60"), 5.5, 2.305),
}
OTHERS = ("digits", "vae", "td3_bc", *WHOLE)  # VAE and TD3+BC are in test_worked_examples.py


@pytest.fixture(scope="session")
def smaller(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """What makes an experiment small enough to be run at each commit."""

    def overrides(name: str) -> list[str]:
        if name != "fashion_mnist":
            return []
        if not INSTALLED:
            pytest.skip(NOT_INSTALLED)
        folder = small_fashion_mnist(tmp_path_factory.mktemp(name))
        return [f"data.path={folder}", "data.batch_size=32"]

    return overrides


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_trains_through_the_api(
    name: str, experiments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_experiment(experiments / f"{name}.yaml")
    assert result.exit_code == 0
    assert result.out_dir == tmp_path / "runs" / name
    lines = (result.out_dir / "metrics.jsonl").read_text().splitlines()
    losses = [row["loss"] for row in map(json.loads, lines) if row["stage"] == "train"]
    assert losses[-1] < losses[0]


def test_every_experiment_is_run_by_a_test(experiments: Path) -> None:
    shipped = {path.stem for path in experiments.glob("*.yaml")}
    assert shipped == {*EXPERIMENTS, *OTHERS}


@pytest.mark.parametrize("name", [*EXPERIMENTS, *OTHERS])
def test_the_shapes_of_an_experiment_fit_and_nothing_in_it_is_unused(
    name: str,
    experiments: Path,
    smaller: Callable[[str], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = [str(experiments / f"{name}.yaml"), *smaller(name)]
    done = CliRunner().invoke(main, ["check", *config, "--shapes"])
    assert (done.exit_code, done.stderr) == (0, "")
    *rows, last = done.stdout.splitlines()
    assert last.startswith("ok: 4 models, " if name == "td3_bc" else "ok: 1 model, ")
    assert "; shapes checked on a batch of " in last
    assert [row.split("\t")[:2] for row in rows[-2:]] == [["loss", "outputs"], ["loss", "targets"]]
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_models_pass_the_check(experiments: Path) -> None:
    for model in experiments.parent.glob("models/*.yaml"):
        done = CliRunner().invoke(main, ["check", str(model)])
        assert (model, done.exit_code, done.stderr) == (model, 0, "")


def test_baseline_runs_through_the_command(ot: RunOt, experiments: Path) -> None:
    done = ot("run", str(experiments / "baseline.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "outputs in runs/baseline" in done.stdout


def test_the_example_plugin_announces_itself(ot: RunOt, experiments: Path) -> None:
    done = ot("run", str(experiments / "custom_plugin.yaml"))
    assert done.returncode == 0, done.stderr
    assert "trainer.verbose" in done.stdout


def test_digits_reaches_97_percent_on_the_test_set(
    ot: RunOt, experiments: Path, tmp_path: Path
) -> None:
    done = ot("run", str(experiments / "digits.yaml"))
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "runs/digits/metrics.jsonl").read_text().splitlines()
    (test,) = [row for row in map(json.loads, lines) if row["stage"] == "test"]
    assert test["accuracy"] >= 0.97


@pytest.mark.parametrize("name", WHOLE)
def test_a_longer_experiment_begins_to_learn_and_reaches_what_it_should(
    name: str,
    ot: RunOt,
    experiments: Path,
    smaller: Callable[[str], list[str]],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    longer = WHOLE[name]
    whole = request.config.getoption("--full")
    overrides = [] if whole else [*longer.small, *smaller(name)]
    done = ot("run", str(experiments / f"{name}.yaml"), *overrides, timeout_seconds=3600)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / f"runs/{name}/metrics.jsonl").read_text().splitlines()
    (tested,) = [row for row in map(json.loads, lines) if row["stage"] == "test"]
    value, bound = tested[longer.metric], longer.reached if whole else longer.learned
    assert value < bound if longer.metric == "bits_per_token" else value > bound
