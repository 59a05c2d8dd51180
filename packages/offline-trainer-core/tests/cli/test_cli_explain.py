"""``ot explain``"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from offline_trainer.cli import main
from offline_trainer.plugins.error_pages import error_pages

Ot = Callable[..., Any]
Install = Callable[..., Path]


def test_a_page_says_what_the_code_means(ot: Ot) -> None:
    result = ot("explain", "OT0109")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("## OT0109: the same key twice\n\n")
    assert "```yaml\n" in result.stdout
    assert "OT0110" not in result.stdout


@pytest.mark.parametrize("typed", ["ot0109", "0109", "109", "OT109"])
def test_a_code_may_be_typed_short(ot: Ot, typed: str) -> None:
    assert ot("explain", typed).stdout == ot("explain", "OT0109").stdout


def test_several_codes_are_shown_in_the_order_typed(ot: Ot) -> None:
    text = ot("explain", "OT0312", "OT0109").stdout
    assert text.index("## OT0312") < text.index("## OT0109")


def test_without_a_code_all_are_listed(ot: Ot) -> None:
    lines = [line.split("\t") for line in ot("explain").stdout.splitlines()]
    assert [line[0] for line in lines] == sorted(error_pages())
    assert ["OT0109", "the same key twice"] in lines


@pytest.mark.parametrize("typed", ["OT0999", "OTO312", "lr", ""])
def test_an_unknown_code_is_one_clear_message(ot: Ot, typed: str) -> None:
    result = ot("explain", typed)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: no error has the code `{typed}`")
    assert "help: ot explain lists all" in result.stderr


def test_the_nearest_code_is_suggested(ot: Ot) -> None:
    assert "did you mean OT0312" in ot("explain", "OTO312").stderr


def test_json_has_code_title_and_text(ot: Ot) -> None:
    (page,) = json.loads(ot("explain", "OT0109", "--json").stdout)
    assert (page["code"], page["title"]) == ("OT0109", "the same key twice")
    assert page["text"].startswith("One mapping has a key twice.")


def test_a_plugins_package_may_bring_pages(install: Install, ot: Ot) -> None:
    folder = install("lion.plugin", None, name="ot-lion")
    pages = folder / "lion" / "error_pages"
    pages.mkdir(parents=True)
    (folder / "lion" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (pages / "lion.md").write_text("# Lion\n\n## OT9001: no roar\n\nIt sleeps.\n")
    assert "OT9001\tno roar" in ot("explain").stdout
    assert ot("explain", "OT9001").stdout == "## OT9001: no roar\n\nIt sleeps.\n"


def test_comments_of_a_page_are_not_shown(ot: Ot) -> None:
    assert "<!--" not in ot("explain", *error_pages()).stdout


def test_codes_complete() -> None:
    shell = ShellComplete(main, {}, "ot", "_OT_COMPLETE")
    found = shell.get_completions(["explain"], "OT010")
    assert [item.value for item in found] == [f"OT010{n}" for n in range(10)]
    assert found[9].help == "the same key twice"


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from offline_trainer.cli import main\n"
        "main(['explain', 'OT0109'], standalone_mode=False)\n"
        "assert not {'torch', 'numpy', 'yaml', 'rich'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
