"""`ot new-plugin`: what it writes is a sound package, and the example plugin is one of these.

What its author does next, running its tests for one, is in test_tutorial.py; the same without torch
is a part of tests/isolated.sh.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from offline_trainer.scaffold.names import names_of
from offline_trainer.scaffold.render import render, write_plugin
from ot_process import OT, RunOt

EXAMPLE = Path(__file__).parent.parent / "packages" / "example-plugin"
GENERATED_BY_TOOLS = {"__pycache__", ".pytest_cache", "dist", "runs"}

SPELLINGS = {
    "my_losses": ("my-losses", "ot_my_losses", "my_losses"),
    "my-losses": ("my-losses", "ot_my_losses", "my_losses"),
    "MyLosses": ("my-losses", "ot_my_losses", "my_losses"),
    "my losses": ("my-losses", "ot_my_losses", "my_losses"),
    "lion": ("lion", "ot_lion", "lion"),
    "ot-lion": ("ot-lion", "ot_lion", "lion"),
    "lion_plugin": ("lion-plugin", "ot_lion_plugin", "lion"),
    "TD3": ("td3", "ot_td3", "td3"),
    "HTTPSource": ("http-source", "ot_http_source", "http_source"),
    "example-plugin": ("example-plugin", "ot_example_plugin", "example"),
}


@pytest.mark.parametrize("typed", SPELLINGS)
def test_names_are_normalised(typed: str) -> None:
    names = names_of(typed)
    assert (names.distribution, names.import_name, names.plugin) == SPELLINGS[typed]


@pytest.mark.parametrize(
    "typed", ["", "3d", "_x", "x_", "é", "a/b", "../x", "core", "Torch", "plugin", "ot", "ot-3d"]
)
def test_a_name_that_cannot_be_used_is_refused_with_exit_code_2(ot: RunOt, typed: str) -> None:
    done = ot("new-plugin", "--", typed)
    assert done.returncode == 2
    assert "Invalid value for NAME" in done.stderr
    assert "my_losses" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_example_plugin_is_what_the_scaffold_writes_for_its_name() -> None:
    rendered = render(names_of("example-plugin"))
    found = {
        str(path.relative_to(EXAMPLE)): path.read_text(encoding="utf-8")
        for path in EXAMPLE.rglob("*")
        if path.is_file() and not GENERATED_BY_TOOLS & set(path.relative_to(EXAMPLE).parts)
    }
    assert found.pop("LICENSE")  # the one file that is left to the author
    assert sorted(found) == sorted(rendered)
    for path, text in rendered.items():
        assert found[path] == text, f"{path} differs from what the templates give"


def test_nothing_of_the_templates_is_left_over() -> None:
    for path, text in render(names_of("my_losses")).items():
        assert "$" not in path
        assert "$" not in text.replace("${run.name}", ""), path
        assert "example_plugin" not in text, path


def test_an_existing_folder_is_left_alone(ot: RunOt, tmp_path: Path) -> None:
    kept = tmp_path / "my-losses" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    done = ot("new-plugin", "my_losses")
    assert done.returncode == 2
    assert "my-losses exists" in done.stderr
    assert [path.name for path in kept.parent.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("typed", ["numpy", "pytest", "Offline_Trainer_Core", "offline_trainer"])
def test_the_name_of_an_installed_package_is_refused(ot: RunOt, tmp_path: Path, typed: str) -> None:
    done = ot("new-plugin", typed)
    assert done.returncode == 2
    assert "Invalid value for NAME" in done.stderr
    assert "choose " in done.stderr
    assert list(tmp_path.iterdir()) == []


SMALL_DISK = """
import resource, sys
from offline_trainer.cli import main
limit_bytes = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))  # of each file
main(sys.argv[2:], prog_name="ot")
"""


@pytest.mark.parametrize("folder", [".", "new/folders"])
def test_a_package_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path, folder: str) -> None:
    sizes = [len(text.encode()) for text in render(names_of("my_losses")).values()]
    limit_bytes = sizes[-1] - 1
    assert sizes[0] < limit_bytes, "the first is to be written, the last is not"
    call = ["new-plugin", "my_losses", "--path", folder]
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(limit_bytes), *call],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "my-losses cannot be written: File too large" in done.stderr
    assert "choose another --path" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_next_three_commands_are_printed_for_the_folder_that_was_asked(ot: RunOt) -> None:
    done = ot("new-plugin", "MyLosses", "--path", "my code")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [
        "next:",
        "  pip install --editable './my code/my-losses[test]'",
        "  pytest './my code/my-losses'",
        "  ot run './my code/my-losses/experiment.yaml'",
    ]


@pytest.fixture
def new_plugin(tmp_path: Path) -> Path:
    """A new plugin with the metadata that an installation would give it."""
    names = names_of("my_losses")
    root = write_plugin(names, tmp_path)
    info = root / "src" / "my_losses-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-losses\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(
        "[offline_trainer.plugins]\nmy_losses = ot_my_losses.plugin\n"
    )
    return root


def in_plugin(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the new package's folder, with the package importable."""
    path = os.pathsep.join(filter(None, [str(root / "src"), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_experiment_of_a_new_plugin_trains(new_plugin: Path) -> None:
    done = in_plugin(new_plugin, *OT, "run", "experiment.yaml")
    assert done.returncode == 0, done.stderr
    assert "done after 3 epochs, 30 steps" in done.stdout
    assert "trainer.my_losses_verbose: training with" in done.stdout
    manifest = json.loads((new_plugin / "runs" / "my-losses" / "run.json").read_text())
    assert manifest["plugins"]["my-losses"] == "0.1.0"


def test_a_new_plugin_lives_beside_the_example(new_plugin: Path) -> None:
    done = in_plugin(new_plugin, *OT, "list-components", "--json")
    status = {row["key"]: row["status"] for row in json.loads(done.stdout)}
    for key in ("constant_regression", "my_losses_constant_regression"):
        assert status[f"data.{key}"] == "ok"
