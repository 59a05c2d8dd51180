"""Ten broken plugins installed together, in processes of their own: ``ot`` goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from plugin_sources import GOOD, registering, write_distribution

from offline_trainer.cli.built_in import COMMANDS
from ot_process import RunOt

BROKEN = {
    "importing": "import nothing_of_that_name",
    "unparsable": "def (",
    "leaving": "import sys; sys.exit(3)",
    "newer": "OT_PLUGIN_API = (1, 9)",
    "misspelt": GOOD.replace("ot_register_components", "ot_register_component"),
    "arguing": GOOD.replace("(registry)", "(registry, colour)"),
    "halfway": GOOD.replace("class Data", "    raise RuntimeError('half-way')\n\nclass Data"),
    "clashing": registering('"trainer.default", "clashing:Trainer", help="Another one."'),
    "twin": GOOD,
    "heavy": "import polars\n" + GOOD,
}
STATES = {
    "importing": "error",
    "unparsable": "error",
    "leaving": "error",
    "newer": "incompatible",
    "misspelt": "error",
    "arguing": "error",
    "halfway": "error",
    "clashing": "conflict",
    "twin": "duplicate-name",
    "heavy": "ok",
}

CONFIG = """
schema_version: 1
settings: {allowed_import_prefixes: [offline_trainer.]}
imports: [offline_trainer.testing.numpy_engine]
run: {name: small, out_dir: run, seed: 3}
engine: {_type_: engine.numpy}
model:
  sequential:
    inputs: [x]
    layers: [{_type_: layer.linear, in_features: 4, out_features: 2}]
data: {_type_: data.random_regression, num_samples: 20, x_shape: [4], y_shape: [2], batch_size: 8}
io: {_type_: io.mapping, model_kwargs: {x: [x]}, targets: {y: [y]}}
loss: {_type_: loss.squared_error}
optimizer: {_type_: optim_factory.momentum, lr: 0.05}
trainer: {_type_: trainer.default@offline-trainer-core, max_epochs: 1, progress: false}
"""

Ot = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def broken_ot(ot: RunOt, tmp_path: Path) -> Ot:
    """``ot`` with all ten installed, and ``config.yaml`` in the current folder."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    site = tmp_path / "site"
    folders = [
        # "aaa" is loaded before "twin" and takes its name; it is not one of the ten.
        write_distribution(site, "aaa", name="twin", distribution="ot-aaa"),
        *(write_distribution(site, module, source) for module, source in BROKEN.items()),
    ]
    (folders[-1] / "polars.py").touch()  # counts as heavy by its name
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    path = os.pathsep.join([*map(str, folders), *inherited])

    def run(*arguments: str, **env: str) -> CompletedProcess[str]:
        return ot(*arguments, env={"PYTHONPATH": path, **env})

    return run


def assert_named_once_with_the_way_out(stderr: str) -> None:
    assert "Traceback" not in stderr
    for module in BROKEN:
        lines = [line for line in stderr.splitlines() if f"(ot-{module} 0.2.0)" in line]
        assert len(lines) == 1, (module, stderr)
        name = "ot-twin" if module == "twin" else module
        assert lines[0].endswith(f"[ot doctor {name} | OT_DISABLE_PLUGINS={name}]")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("list-components",),
        ("describe", "data.table"),
        ("plugins",),
        ("check", "config.yaml"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_works_and_names_each_once(broken_ot: Ot, arguments: tuple[str, ...]) -> None:
    done = broken_ot(*arguments)
    assert done.returncode == 0, done.stderr
    assert_named_once_with_the_way_out(done.stderr)


def test_a_run_that_needs_none_of_them_trains(broken_ot: Ot, tmp_path: Path) -> None:
    done = broken_ot("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert_named_once_with_the_way_out(done.stderr)
    assert "done after 1 epochs" in done.stdout
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "done"


def test_a_config_that_uses_the_contested_key_is_told_the_ways_out(broken_ot: Ot) -> None:
    done = broken_ot("check", "config.yaml", "trainer._type_=trainer.default")
    assert done.returncode == 2
    assert "`trainer.default@ot-clashing`" in done.stderr
    assert "Traceback" not in done.stderr


def test_plugins_shows_the_state_of_each(broken_ot: Ot) -> None:
    rows = {row["distribution"]: row for row in json.loads(broken_ot("plugins", "--json").stdout)}
    assert {module: rows[f"ot-{module}"]["state"] for module in BROKEN} == STATES
    assert "polars" in rows["ot-heavy"]["heavy_modules"]
    assert all(rows[f"ot-{module}"]["reason"] for module in BROKEN)


def test_doctor_explains_each_and_ends_with_1(broken_ot: Ot) -> None:
    done = broken_ot("doctor")
    assert done.returncode == 1
    assert done.stderr == ""
    for module in BROKEN:
        assert f"(ot-{module} 0.2.0)" in done.stdout
        name = "ot-twin" if module == "twin" else module
        assert f"OT_DISABLE_PLUGINS={name}" in done.stdout
    assert "RuntimeError: half-way" in done.stdout
    assert "loader.py" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_is_there(broken_ot: Ot, command: str) -> None:
    done = broken_ot(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: ot {command} ")
    assert "Traceback" not in done.stderr


def test_a_new_plugin_can_be_written_all_the_same(broken_ot: Ot, tmp_path: Path) -> None:
    assert broken_ot("new-plugin", "my_losses").returncode == 0
    assert (tmp_path / "my-losses" / "pyproject.toml").exists()


def test_strict_ends_with_an_error_that_names_each(broken_ot: Ot) -> None:
    done = broken_ot("list-components", OT_STRICT_PLUGINS="1")
    assert done.returncode == 1
    for module in set(BROKEN) - {"heavy", "clashing"}:
        assert f"(ot-{module} 0.2.0) not loaded: " in done.stderr
    assert "Traceback" not in done.stderr


def test_disabling_all_third_party_plugins_silences_them(broken_ot: Ot) -> None:
    done = broken_ot("list-components", "--strict", OT_DISABLE_PLUGINS="*")
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_prints_nothing_but_completions(broken_ot: Ot) -> None:
    done = broken_ot(_OT_COMPLETE="bash_complete", COMP_WORDS="ot describe data.ta", COMP_CWORD="2")
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["plain,data.table"]
