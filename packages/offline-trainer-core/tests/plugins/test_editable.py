"""Editable installs whose pyproject.toml has changed since."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from made_up_plugins import GOOD, Install

from offline_trainer.plugins.doctor import examine
from offline_trainer.plugins.editable import changed_entry_points
from offline_trainer.plugins.loader import load_plugins
from offline_trainer.registry import build_registry

PROJECT = """
[project]
name = "ot-edited"
[project.entry-points."offline_trainer.plugins"]
{lines}
"""


def edited(tmp_path: Path, lines: str) -> Path:
    """Make ot-edited an editable install of a project with these entry points."""
    project = tmp_path / "a project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT.replace("{lines}", lines))
    info = tmp_path / "ot-edited" / "ot_edited-0.2.0.dist-info"
    origin = {"url": project.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    return project


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_an_entry_point_that_was_added_or_changed_since_is_told(
    install: Install, tmp_path: Path
) -> None:
    install("edited", GOOD)
    project = edited(tmp_path, 'edited = "elsewhere"\nmore = "edited_more"')
    first, second = changed_entry_points()
    assert first[0] == "ot-edited 0.2.0"
    assert "`edited` is `elsewhere` in" in first[1]
    assert "`edited` in what is installed" in first[1]
    assert "`more` is `edited_more` in" in second[1]
    assert "absent in what is installed" in second[1]
    assert second[2] == f"pip install --editable '{project}'"


@pytest.mark.parametrize("lines", ['edited = "edited"', "not toml ["])
def test_what_is_as_it_was_or_cannot_be_read_is_left_alone(
    install: Install, tmp_path: Path, lines: str
) -> None:
    install("edited", GOOD)
    edited(tmp_path, lines)
    assert list(changed_entry_points()) == []


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_doctor_tells_it_of_the_plugin_asked_for_and_not_of_others(
    install: Install, tmp_path: Path
) -> None:
    for module in ("edited", "other"):
        install(module, GOOD + "\nData = dict\n")
    edited(tmp_path, 'edited = "elsewhere"')
    plugins = load_plugins()
    found = {
        name: [f.kind for f in examine(plugins, build_registry(plugins), [], name).findings]
        for name in ("edited", "ot-edited", "other")
    }
    assert found == {
        "edited": ["stale-entry-point"],
        "ot-edited": ["stale-entry-point"],
        "other": [],
    }
