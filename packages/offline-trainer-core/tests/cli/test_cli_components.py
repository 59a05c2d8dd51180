"""``ot list-components``: what is offered, by whom, and whether it can be loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from plugin_sources import GOOD, registering

from offline_trainer.plugins.discovery import discover

Install = Callable[..., Path]
Ot = Callable[..., Result]


def rows(result: Result) -> dict[str, dict[str, Any]]:
    return {f"{row['key']}@{row['distribution']}": row for row in json.loads(result.stdout)}


def test_piped_rows_are_key_provider_status_help(install: Install, ot: Ot) -> None:
    install("one")
    result = ot("list-components", "--plugin", "one")
    assert result.exit_code == 0
    assert result.stdout == "data.one\tot-one 0.2.0\tok\tTest data.\n"


def test_kind_and_plugin_narrow_the_list(install: Install, ot: Ot) -> None:
    install("one")
    assert {row["kind"] for row in rows(ot("list-components", "--kind", "io", "--json")).values()}
    by_distribution = rows(ot("list-components", "--plugin", "OT_one", "--json"))
    assert list(by_distribution) == ["data.one@ot-one"]


def test_an_unknown_kind_or_plugin_names_the_nearest(install: Install, ot: Ot) -> None:
    install("lion")
    kind = ot("list-components", "--kind", "dat")
    assert (kind.exit_code, "did you mean data" in kind.stderr) == (2, True)
    plugin = ot("list-components", "--plugin", "lyon")
    assert (plugin.exit_code, "did you mean lion" in plugin.stderr) == (2, True)


def test_a_conflict_names_both_providers_in_both_rows(install: Install, ot: Ot) -> None:
    install("one", registering('"data.same", "one:Data", help="One."'))
    install("two", registering('"data.same", "two:Data", help="Two."'))
    listed = rows(ot("list-components", "--kind", "data", "--json"))
    assert listed["data.same@ot-one"]["status"] == "conflict with ot-two 0.2.0"
    assert listed["data.same@ot-two"]["status"] == "conflict with ot-one 0.2.0"
    result = ot("list-components", "--kind", "data")
    assert result.exit_code == 0
    assert result.stderr.count("plugin 'two'") == 1
    assert "[ot doctor two | OT_DISABLE_PLUGINS=two]" in result.stderr
    assert ot("list-components", "--strict").exit_code == 1


def test_a_key_that_was_replaced_says_by_whom(install: Install, ot: Ot) -> None:
    install("one", registering('"data.same", "one:Data", help="One."'))
    install("two", registering('"data.same", "two:Data", help="Two.", replaces="ot-one"'))
    listed = rows(ot("list-components", "--kind", "data", "--json"))
    assert listed["data.same@ot-one"]["status"] == "replaced by ot-two 0.2.0"
    assert listed["data.same@ot-two"]["status"] == "ok"
    assert ot("list-components", "--strict").exit_code == 0


def test_a_kind_of_a_package_of_ours_that_is_not_installed_names_it(
    ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [c for c in discover() if c.provider.distribution != "offline-trainer-torch"]
    monkeypatch.setattr("offline_trainer.plugins.loader.discover", lambda: others)
    missing = ot("list-components", "--kind", "optim_cls")
    assert missing.exit_code == 2
    assert "comes with offline-trainer-torch: pip install offline-trainer-torch" in missing.stderr
    unknown = ot("list-components", "--kind", "nothing")
    assert "with offline-trainer-torch installed: cmd, engine, metric, " in unknown.stderr


def test_check_resolves_every_target_and_reports_failures(install: Install, ot: Ot) -> None:
    install(
        "one",
        registering(
            '"data.fine", "one:Data", help="Fine."',
            '"data.gone", "one:Gone", help="Gone."',
            '"data.exits", "one_exits:Data", help="Exits."',
            '"data.needs", "one:Data", help="Needs.", requires=("nothing_of_that_name",)',
            head="class Data: ...",
        ),
    ).joinpath("one_exits.py").write_text("import sys; sys.exit(3)")
    unchecked = rows(ot("list-components", "--plugin", "one", "--json"))
    assert unchecked["data.gone@ot-one"]["status"] == "ok"
    result = ot("list-components", "--plugin", "one", "--json", "--check")
    assert result.exit_code == 0
    status = {key: row["status"] for key, row in rows(result).items()}
    assert status["data.fine@ot-one"] == "ok"
    assert status["data.gone@ot-one"].startswith("failed: AttributeError: ")
    exits = "failed: it ended the program with SystemExit: 3 ("
    assert status["data.exits@ot-one"].startswith(exits)
    assert status["data.needs@ot-one"] == "needs nothing_of_that_name"
    assert ot("list-components", "--plugin", "one", "--check", "--strict").exit_code == 1
    assert ot("list-components", "--plugin", "one", "--strict").exit_code == 0


def test_strict_ends_with_1_for_a_plugin_that_cannot_be_loaded(install: Install, ot: Ot) -> None:
    install("fine", GOOD)
    assert ot("list-components", "--plugin", "fine", "--strict").exit_code == 0
    install("broken", "import nothing_of_that_name")
    assert ot("list-components", "--strict").exit_code == 1
    assert ot("list-components").exit_code == 0


def test_cores_own_keys_all_resolve_or_say_what_they_need(ot: Ot) -> None:
    result = ot("list-components", "--plugin", "core", "--check", "--strict", "--json")
    assert result.exit_code == 0, [r for r in json.loads(result.stdout) if "failed" in r["status"]]
