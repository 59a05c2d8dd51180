"""An experiment that chooses another optimizer than its base, from the check to the records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from offline_trainer.cli import main

OPTIMIZER = """\
schema_version: 1
defaults: [{base}]
run: {{name: swap, out_dir: {out_dir}, device: cpu}}
optimizer:
  _type_: optim_factory.torch
  type: optim_cls.SGD
  kwargs: {{momentum: 0.9}}
"""


def test_what_the_base_said_to_another_optimizer_is_in_no_record(
    tmp_path: Path, experiments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_EPS", "1e-5")
    baseline = experiments / "baseline.yaml"
    Path("adam.yaml").write_text(
        f"defaults: [{baseline}]\noptimizer:\n  kwargs:\n"
        "    betas: [0.5, 0.9]\n    eps: ${env:float:SECRET_EPS}\n"
    )
    Path("swap.yaml").write_text(OPTIMIZER.format(base="adam.yaml", out_dir="swapped"))
    Path("plain.yaml").write_text(OPTIMIZER.format(base=baseline, out_dir="plain"))

    swapped = CliRunner().invoke(main, ["run", "swap.yaml", "trainer.max_epochs=1"])
    assert swapped.exit_code == 0, swapped.output
    assert "adam.yaml:4:5: `optimizer.kwargs.betas` is dropped" in swapped.stderr
    plain = CliRunner().invoke(main, ["run", "plain.yaml", "trainer.max_epochs=1"])
    assert "is dropped" not in plain.stderr

    resolved = yaml.safe_load(Path("swapped/config.resolved.yaml").read_text())
    assert resolved["optimizer"]["kwargs"] == {"lr": 1e-3, "momentum": 0.9}
    hashes = {
        json.loads(Path(name, "run.json").read_text())["config_hash"]
        for name in ("swapped", "plain")
    }
    assert len(hashes) == 1

    shown = CliRunner().invoke(main, ["config", "show", "swap.yaml", "trainer.max_epochs=1"])
    assert "adam.yaml:4:5: `optimizer.kwargs.betas` is dropped" in shown.stderr
    Path("shown.yaml").write_text(shown.stdout)
    assert CliRunner().invoke(main, ["check", "shown.yaml"]).exit_code == 0
    explained = CliRunner().invoke(main, ["config", "explain", "swap.yaml", "optimizer"]).stdout
    assert "momentum" in explained
    assert "betas" not in explained
    compared = CliRunner().invoke(main, ["config", "diff", "swap.yaml", "swapped"])
    assert "optimizer" not in compared.stdout
    assert "never used" not in compared.stderr
