"""Many broken plugins at once: every command goes on without them, and each is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_up_plugins import BROKEN, GOOD

SHARED = """
    registry.add_lazy("data.shared", "{module}:Data", help="Claimed by two.")
"""

PLUGINS = {
    **{f"broken_{number}": source for number, (source, _, _) in enumerate(BROKEN.values())},
    "claims_a": GOOD + SHARED,
    "claims_b": GOOD + SHARED,
    "heavy": "import torch\n" + GOOD,
    "z_same_name": GOOD,
}

CONFIG = """
schema_version: 1
settings: {allowed_import_prefixes: [offline_trainer.]}
imports: [offline_trainer.testing.numpy_engine]
run: {name: small, out_dir: "runs/${run.name}"}
engine: {_type_: engine.numpy}
model:
  sequential:
    inputs: [x]
    layers: [{_type_: layer.linear, in_features: 4, out_features: 2}]
data: {_type_: data.random_regression, x_shape: [4], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: [x]}, targets: {y: [y]}}
loss: {_type_: loss.squared_error}
optimizer: {_type_: optim_factory.momentum, lr: 0.05}
trainer: {_type_: trainer.default, max_epochs: 1}
"""


RunOt = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ot(tmp_path: Path) -> RunOt:
    """``ot(*arguments, env=)`` as a process of its own."""

    def run(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "offline_trainer.cli", *arguments],
            cwd=tmp_path,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables under which a process has all these plugins installed."""
    site = tmp_path / "site"
    for module, source in PLUGINS.items():
        info = site / f"ot_{module}-0.2.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: ot-{module}\nVersion: 0.2.0\n"
        )
        name = "claims_a" if module == "z_same_name" else module
        (info / "entry_points.txt").write_text(f"[offline_trainer.plugins]\n{name} = {module}\n")
        (site / f"{module}.py").write_text(source.replace("{module}", module))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize("command", ["list-components", "check config.yaml", "run config.yaml"])
def test_a_command_goes_on_and_names_each_broken_plugin_once(
    ot: RunOt, environment: dict[str, str], command: str
) -> None:
    done = ot(*command.split(), env=environment)
    assert done.returncode == 0, done.stderr
    for module in PLUGINS:
        if module.startswith("broken_"):
            named = f"plugin '{module}' (ot-{module} 0.2.0) not loaded: "
            assert done.stderr.count(named) == 1
            assert f"OT_DISABLE_PLUGINS={module}]" in done.stderr
    assert done.stderr.count("(ot-z_same_name 0.2.0) not loaded: the name is taken") == 1
    assert "Traceback" not in done.stderr


def test_help_is_there_and_strict_makes_it_fatal(ot: RunOt, environment: dict[str, str]) -> None:
    assert ot("--help", env=environment).returncode == 0
    strict = ot("list-components", env={**environment, "OT_STRICT_PLUGINS": "1"})
    assert strict.returncode == 1
    assert "plugin 'broken_0'" in strict.stderr


def test_only_a_run_that_uses_a_key_of_two_plugins_is_refused(
    ot: RunOt, environment: dict[str, str], tmp_path: Path
) -> None:
    text = CONFIG.replace("data: {_type_: data.random_regression", "data: {_type_: data.shared")
    (tmp_path / "config.yaml").write_text(text)
    done = ot("check", "config.yaml", env=environment)
    assert done.returncode == 2
    for part in ("ot-claims_a 0.2.0 and ot-claims_b 0.2.0", "data.shared@ot-claims_b"):
        assert part in done.stderr
