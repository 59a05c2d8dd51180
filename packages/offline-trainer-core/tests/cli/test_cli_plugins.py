"""``ot plugins`` and ``ot doctor``: the state of what is installed, and the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from plugin_sources import GOOD, registering

Install = Callable[..., Path]
Ot = Callable[..., Result]


COMMAND = """
import click

@click.command()
def greet():
    click.echo("hello")
"""


def states(result: Result) -> dict[str, dict[str, Any]]:
    return {row["distribution"]: row for row in json.loads(result.stdout)}


def test_each_plugin_has_its_state_keys_and_load_time(install: Install, ot: Ot) -> None:
    install("fine")
    install("broken", "import nothing_of_that_name")
    rows = states(ot("plugins", "--json"))
    assert rows["offline-trainer-core"]["state"] == "ok"
    assert (rows["ot-fine"]["state"], rows["ot-fine"]["keys"]) == ("ok", 1)
    assert rows["ot-fine"]["load_ms"] >= 0
    assert rows["ot-broken"]["state"] == "error"
    assert "nothing_of_that_name" in rows["ot-broken"]["reason"]


def test_what_a_plugin_prints_does_not_get_into_the_json(install: Install, ot: Ot) -> None:
    install("loud", "print('HELLO')\n" + GOOD)
    result = ot("plugins", "--json")
    assert states(result)["ot-loud"]["state"] == "ok"
    assert "HELLO" in result.stderr


def test_a_disabled_plugin_says_who_disabled_it(
    install: Install, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("fine")
    monkeypatch.setenv("OT_DISABLE_PLUGINS", "fine")
    row = states(ot("plugins", "--json"))["ot-fine"]
    assert (row["state"], row["reason"]) == ("disabled", "OT_DISABLE_PLUGINS")


def test_a_conflict_is_the_state_of_both_plugins_and_one_line(install: Install, ot: Ot) -> None:
    install("one", registering('"data.same", "one:Data", help="One."'))
    install("two", registering('"data.same", "two:Data", help="Two."'))
    result = ot("plugins", "--json")
    rows = states(result)
    for name, other in (("one", "two"), ("two", "one")):
        assert rows[f"ot-{name}"]["state"] == "conflict"
        assert f"`data.same` is also provided by ot-{other} 0.2.0" in rows[f"ot-{name}"]["reason"]
        assert ot("doctor", name).exit_code == 1
        assert f"ot-{other} 0.2.0" in ot("doctor", name).stdout
    assert len(result.stderr.splitlines()) == 1


def test_strict_plugins_do_not_keep_the_commands_that_explain_from_working(
    install: Install, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("broken", "import nothing_of_that_name")
    monkeypatch.setenv("OT_STRICT_PLUGINS", "1")
    assert ot("plugins").exit_code == 0
    assert "nothing_of_that_name" in ot("doctor").stdout
    assert ot("--help").exit_code == 0
    for command in ("list-components", "describe data.table"):
        result = ot(*command.split())
        assert result.exit_code == 1
        assert result.stderr.count("plugin 'broken' (ot-broken 0.2.0)") == 1


def test_strict_plugins_end_a_plugins_command_too(
    install: Install, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("greeting", registering('"cmd.greet", "greeting:greet", help="Greet."', head=COMMAND))
    install("taking", registering('"cmd.check", "taking:greet", help="Taken."'))
    assert ot("greet").stdout == "hello\n"
    monkeypatch.setenv("OT_STRICT_PLUGINS", "1")
    result = ot("greet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("plugin 'taking' (ot-taking 0.2.0)") == 1
    assert "greet" in ot("--help").stdout


def test_doctor_is_healthy_where_nothing_is_wrong(install: Install, ot: Ot) -> None:
    install("fine")
    result = ot("doctor")
    assert result.exit_code == 0
    assert "healthy" in result.stdout
    assert "offline-trainer-core" in result.stdout
    data = json.loads(ot("doctor", "--json").stdout)
    assert data["healthy"]
    assert {"python", "platform"} <= {row["name"] for row in data["environment"]}


def test_doctor_shows_the_plugins_own_frames_only(install: Install, ot: Ot) -> None:
    install("broken", "def load():\n    return {}['absent']\n\nload()\n")
    result = ot("doctor", "broken")
    assert result.exit_code == 1
    assert "broken.py" in result.stdout
    assert "line 2, in load" in result.stdout
    assert "KeyError: 'absent'" in result.stdout
    assert "importlib" not in result.stdout
    assert "loader.py" not in result.stdout
    assert "OT_DISABLE_PLUGINS=broken" in result.stdout


def test_doctor_cuts_every_part_of_a_chain_of_errors(install: Install, ot: Ot) -> None:
    install(
        "broken",
        "try:\n    import nothing_of_that_name\n"
        "except ImportError as error:\n    raise RuntimeError('no luck') from error\n",
    )
    text = ot("doctor", "ot-broken").stdout
    assert "ModuleNotFoundError" in text
    assert "RuntimeError: no luck" in text
    assert "<frozen" not in text


def test_doctor_looks_at_one_plugin_when_asked(install: Install, ot: Ot) -> None:
    install("fine")
    install("broken", "import nothing_of_that_name")
    assert ot("doctor", "fine").exit_code == 0
    assert ot("doctor", "ot-broken").exit_code == 1
    unknown = ot("doctor", "brokn")
    assert (unknown.exit_code, "did you mean broken" in unknown.stderr) == (2, True)


def test_doctor_knows_an_entry_point_that_went_stale(install: Install, ot: Ot) -> None:
    folder = install("moved", None)
    (folder / "ot_moved-0.2.0.dist-info" / "direct_url.json").write_text(
        '{"url": "file:///somewhere/ot%20moved", "dir_info": {"editable": true}}'
    )
    result = ot("doctor", "moved", "--json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)["findings"]
    assert finding["kind"] == "stale-entry-point"
    assert "`moved = moved`" in finding["message"]
    assert "pip install --editable '/somewhere/ot moved'" in finding["help"]


def test_a_package_that_raises_what_is_no_exception_is_no_stale_entry_point(
    install: Install, ot: Ot
) -> None:
    folder = install("leaving", None)
    (folder / "leaving").mkdir()
    (folder / "leaving" / "__init__.py").write_text("print('on the way')\nraise GeneratorExit\n")
    (folder / "ot_leaving-0.2.0.dist-info" / "entry_points.txt").write_text(
        "[offline_trainer.plugins]\nleaving = leaving.plugin\n"
    )
    (finding,) = json.loads(ot("doctor", "leaving", "--json").stdout)["findings"]
    assert (finding["kind"], finding["message"]) == ("not-loaded", "GeneratorExit")


def test_an_entry_point_that_names_an_object_is_no_stale_one(install: Install, ot: Ot) -> None:
    folder = install("one")
    (folder / "ot_one-0.2.0.dist-info" / "entry_points.txt").write_text(
        "[offline_trainer.plugins]\none = one:register\n"
    )
    (finding,) = json.loads(ot("doctor", "one", "--json").stdout)["findings"]
    assert (finding["kind"], "must name a module" in finding["message"]) == ("not-loaded", True)


def test_a_module_missing_inside_a_plugin_is_no_stale_entry_point(install: Install, ot: Ot) -> None:
    install("broken", "import nothing_of_that_name")
    (finding,) = json.loads(ot("doctor", "broken", "--json").stdout)["findings"]
    assert finding["kind"] == "not-loaded"


def test_doctor_reports_names_that_match_nothing(
    install: Install, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("lion")
    monkeypatch.setenv("OT_DISABLE_PLUGINS", "lyon")
    result = ot("doctor")
    assert result.exit_code == 1
    assert "OT_DISABLE_PLUGINS names 'lyon'" in result.stdout
    assert "did you mean lion" in result.stdout


@pytest.mark.parametrize("body", ["raise RuntimeError('no card')", "return 3", "return ['abc']"])
def test_a_failing_environment_hook_is_a_finding(install: Install, ot: Ot, body: str) -> None:
    install("cards", GOOD + f"\n@hookimpl\ndef ot_environment():\n    {body}\n")
    result = ot("doctor", "cards", "--json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)["findings"]
    assert finding["kind"] == "environment-failed"


def test_rows_of_a_plugins_environment_are_shown(install: Install, ot: Ot) -> None:
    install("cards", GOOD + "\n@hookimpl\ndef ot_environment():\n    return [('card', 'fast')]\n")
    rows = json.loads(ot("doctor", "cards", "--json").stdout)["environment"]
    assert {"source": "cards", "name": "card", "value": "fast"} in rows


def test_of_two_plugins_of_one_name_the_distribution_is_the_way_out(
    install: Install, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("first", name="same")
    install("second", name="same")
    line = ot("list-components").stderr
    assert "[ot doctor ot-second | OT_DISABLE_PLUGINS=ot-second]" in line
    monkeypatch.setenv("OT_DISABLE_PLUGINS", "ot-second")
    assert ot("list-components", "--strict").exit_code == 0


IMPORTS_POLARS = """
import sys
sys.modules.pop("polars", None)
import polars
"""


def test_doctor_minds_a_heavy_plugin_and_names_the_line(install: Install, ot: Ot) -> None:
    folder = install("heavy", IMPORTS_POLARS + GOOD)
    (folder / "polars.py").touch()
    result = ot("doctor", "heavy")
    assert result.exit_code == 1
    assert "healthy" not in result.stdout
    assert f"{folder / 'heavy.py'}:4 imports polars" in result.stdout


def test_doctor_imports_the_components_of_a_plugin_it_is_asked_about(
    install: Install, ot: Ot
) -> None:
    install(
        "parts",
        registering(
            '"data.fine", "parts:Data", help="Fine."',
            '"data.gone", "parts:Gone", help="Gone."',
            '"data.raises", "parts_raises:Data", help="Raises."',
            '"data.waits", "parts:Data", help="Waits.", requires=("nothing_of_that_name",)',
            head="class Data: ...",
        ),
    ).joinpath("parts_raises.py").write_text("def load():\n    raise ValueError('no')\nload()")
    everything = ot("doctor")
    assert everything.exit_code == 0
    assert "components were not imported" in everything.stdout
    result = ot("doctor", "parts", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    gone, raises = data["findings"]
    assert {gone["kind"], raises["kind"]} == {"target-failed"}
    assert "`data.gone` cannot be loaded from parts:Gone: AttributeError" in gone["message"]
    assert gone["traceback"] == ""
    assert "line 2, in load" in raises["traceback"]
    assert "entry.py" not in raises["traceback"]
    assert data["components"].startswith("components imported: 3; ")
    assert "nothing_of_that_name" in data["components"]


def test_doctor_says_a_misspelt_hook_once(install: Install, ot: Ot) -> None:
    install("misspelt", GOOD.replace("ot_register_components", "ot_register_component"))
    assert ot("doctor", "misspelt").stdout.count("did you mean ot_register_components") == 1


def test_doctor_says_an_exception_once_where_the_traceback_ends_with_it(
    install: Install, ot: Ot
) -> None:
    install("broken", "import nothing_of_that_name")
    assert ot("doctor", "broken").stdout.count("No module named 'nothing_of_that_name'") == 1


def test_doctor_leaves_out_what_it_is_told_to(install: Install, ot: Ot) -> None:
    install("broken", "import nothing_of_that_name")
    assert ot("doctor", "--no-plugin", "broken").exit_code == 0
    assert ot("--no-plugin", "ot-broken", "doctor").exit_code == 0
