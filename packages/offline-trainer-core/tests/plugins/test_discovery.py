"""Finding plugins: installations of every shape, and both ways to find them agree."""

from __future__ import annotations

import site
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_up_plugins import GOOD, Install, status_of

from offline_trainer.plugins.discovery import candidates, discover, points_by_metadata
from offline_trainer.plugins.loader import load_plugins


def test_of_one_distribution_twice_the_first_on_sys_path_counts(install: Install) -> None:
    install("one", GOOD, version="0.1.0", folder="far")
    install("one", GOOD, version="0.3.0", folder="near")
    status = status_of(load_plugins(), "one")
    assert (status.state, status.provider.version) == ("ok", "0.3.0")


def test_a_copy_without_the_plugin_hides_the_one_behind_it(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("one", GOOD, distribution="ot-one-more")
    info = tmp_path / "near" / "OT.One_more-9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: OT.One_more\nVersion: 9\n")
    monkeypatch.syspath_prepend(str(info.parent))
    assert "one" not in {candidate.name for candidate in discover()}
    assert discover() == candidates(points_by_metadata())


PLUGIN_PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "OT-Built"
version = "1.2.3"

[project.entry-points."offline_trainer.plugins"]
built = "ot_built.plugin"

[tool.hatch.build.targets.wheel]
packages = ["src/ot_built"]
dev-mode-dirs = ["src"]
"""

Build = Callable[[str], Path]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Build a real project's wheel, ``build_wheel`` or ``build_editable``, and unpack it."""
    backend = pytest.importorskip("hatchling.build", reason="the build backend is not installed")
    package = tmp_path / "project" / "src" / "ot_built"
    package.mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").write_text(PLUGIN_PROJECT)
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(GOOD.replace("{module}", "ot_built"))

    def make(kind: str) -> Path:
        monkeypatch.chdir(tmp_path / "project")
        wheel = tmp_path / getattr(backend, kind)(str(tmp_path))
        folder = tmp_path / kind
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        return folder

    monkeypatch.setattr(sys, "path", [*sys.path])
    yield make
    for name in ("ot_built", "ot_built.plugin"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("kind", ["build_wheel", "build_editable"])
def test_a_built_and_an_editable_install_are_found(built: Build, kind: str) -> None:
    site.addsitedir(str(built(kind)))  # reads .pth files, as the interpreter does at its start
    assert discover() == candidates(points_by_metadata())
    status = status_of(load_plugins(), "built")
    assert (str(status.provider), status.state) == ("OT-Built 1.2.3", "ok")
    assert status.keys == ("data.ot_built",)


def test_a_zip_file_on_sys_path_is_left_to_importlib_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "zipped.zip"
    info = "zipped-1.dist-info"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: zipped\nVersion: 1\n")
        file.writestr(f"{info}/entry_points.txt", "[offline_trainer.plugins]\nzipped = zipped\n")
        file.writestr("zipped.py", GOOD.replace("{module}", "zipped"))
    monkeypatch.syspath_prepend(str(archive))
    try:
        assert status_of(load_plugins(), "zipped").state == "ok"
    finally:
        sys.modules.pop("zipped", None)


def test_both_ways_of_discovery_agree(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the environment the tests run in, with installations of every shape added to it."""
    assert discover() == candidates(points_by_metadata())
    install("one", GOOD, distribution="OT.One_more")
    install("two", GOOD, name="second")
    legacy = tmp_path / "legacy"
    shapes = {
        "ot_legacy.egg-info": ("PKG-INFO", "Name: ot-legacy\nVersion: 3\n"),
        "ot_older-1.0-py3.10.egg-info": ("PKG-INFO", "Name: ot-older\nVersion: 1.0\n"),
        "OT_Upper-1.0.dist-info": ("METADATA", "Version: 1.0\nName: OT-Upper\n\nName: body\n"),
        "unnamed-1.dist-info": ("nothing", ""),
    }
    for number, (info, (file, text)) in enumerate(shapes.items()):
        (legacy / info).mkdir(parents=True)
        (legacy / info / file).write_text(text)
        (legacy / info / "entry_points.txt").write_text(
            f"# a comment\n[other]\nx=y\n\n[offline_trainer.plugins]\n  # another\n"
            f"shape_{number}=shape_{number}\nmore_{number} = more.of:it [extra]\n[last]\na = b\n"
        )
    (legacy / "a_file-1.egg-info").write_text("Name: a-file\nVersion: 1\n")
    (legacy / "no_entry_points-1.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(legacy))
    monkeypatch.syspath_prepend(str(tmp_path / "does not exist"))
    found = discover()
    assert found == candidates(points_by_metadata())
    assert len([c for c in found if c.name.startswith(("shape_", "more_"))]) == 2 * len(shapes)


def test_a_damaged_installation_is_still_a_plugin_with_an_owner(
    install: Install, tmp_path: Path
) -> None:
    install("bare", GOOD)
    (tmp_path / "ot-bare" / "ot_bare-0.2.0.dist-info" / "METADATA").unlink()
    status = status_of(load_plugins(), "bare")
    assert (str(status.provider), status.state) == ("bare", "ok")
