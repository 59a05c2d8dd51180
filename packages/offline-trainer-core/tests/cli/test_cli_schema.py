"""``ot schema``: what installed plugins bring, printed or written for an editor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from plugin_sources import GOOD, registering

Install = Callable[..., Path]
Ot = Callable[..., Result]

SHOP = registering(
    '"data.shop", "shop:Shop", help="Sales."',
    '"cb.loose", "shop:Shop", help="Not strict.", signature="best_effort"',
    '"log.gone", "shop:Nothing", help="Cannot be loaded."',
    '"cmd.sell", "shop:Shop", help="A command."',
    head='''
class Shop:
    """Sales of a shop. And more.

    Args:
        path: Where
            they are.
        rate: Share
    """

    def __init__(self, path: str, *, rate: float = float("inf"), kind: "Unknown" = None): ...
''',
)


@pytest.fixture
def definitions(install: Install, ot: Ot) -> dict[str, Any]:
    install("shop", SHOP)
    result = ot("schema")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)["$defs"]
    return found


def test_a_plugins_component_is_described(definitions: dict[str, Any]) -> None:
    shop = definitions["data.shop"]
    assert shop["description"] == "Sales of a shop."
    assert shop["additionalProperties"] is False
    assert shop["properties"] == {
        "path": {"$ref": "#/$defs/string", "description": "Where they are. (required)"},
        "rate": {"$ref": "#/$defs/number", "description": "Share"},
        "kind": {"$ref": "#/$defs/any", "default": None},
    }
    assert "data.shop" in definitions["keys:data"]["enum"]


def test_a_signature_that_is_not_strict_admits_other_names(definitions: dict[str, Any]) -> None:
    assert "additionalProperties" not in definitions["cb.loose"]


def test_a_command_is_no_component_of_a_config(definitions: dict[str, Any]) -> None:
    assert "cmd.sell" not in json.dumps(definitions)


def test_what_cannot_be_loaded_is_named_and_may_have_any_argument(install: Install, ot: Ot) -> None:
    install("shop", SHOP)
    result = ot("schema")
    assert "cannot be loaded" in result.stderr
    assert "log.gone" in result.stderr
    assert json.loads(result.stdout)["$defs"]["log.gone"] == {}


def test_a_broken_plugin_and_a_conflict_leave_the_rest(install: Install, ot: Ot) -> None:
    install("broken", "import nothing_of_that_name")
    same = GOOD.replace("data.{module}", "data.both")
    install("one", same)
    install("two", same)
    result = ot("schema")
    assert result.exit_code == 0
    assert "plugin 'broken'" in result.stderr
    assert "are claimed by several plugins, so" in result.stderr
    assert "cannot be loaded, so" not in result.stderr
    assert json.loads(result.stdout)["$defs"]["data.both"] == {}
    assert "data.table" in json.loads(result.stdout)["$defs"]


def test_one_kind_alone_has_only_what_it_needs(ot: Ot) -> None:
    result = ot("schema", "--kind", "log")
    schema = json.loads(result.stdout)
    assert schema["$ref"] == "#/$defs/spec:log"
    assert {"log.stdout", "spec:log"} <= set(schema["$defs"])
    assert "data.table" not in result.stdout


def test_an_unknown_kind_is_refused_with_the_nearest(ot: Ot) -> None:
    result = ot("schema", "--kind", "dat")
    assert result.exit_code == 2
    assert "did you mean data" in result.stderr


def test_a_module_of_imports_adds_its_components(ot: Ot) -> None:
    result = ot("schema", "--import", "offline_trainer.testing.numpy_engine")
    assert "engine.numpy" in json.loads(result.stdout)["$defs"]


def test_a_module_that_cannot_be_imported_is_named(ot: Ot) -> None:
    result = ot("schema", "--import", "nothing_of_that_name")
    assert result.exit_code == 2
    assert "nothing_of_that_name" in result.stderr


def test_it_is_written_and_written_again(ot: Ot, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    assert ot("schema", "--write", str(path)).exit_code == 0
    first = path.read_bytes()
    assert ot("schema", "--write", str(path)).exit_code == 0
    assert path.read_bytes() == first == ot("schema").stdout.encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "{}", "[1]", "not JSON", b"\xff"])
def test_a_file_that_is_no_schema_is_left_alone(
    content: str | bytes, ot: Ot, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    result = ot("schema", "--write", str(path))
    assert result.exit_code == 1
    assert "no JSON Schema" in result.stderr
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_an_error(ot: Ot, tmp_path: Path) -> None:
    result = ot("schema", "--write", str(tmp_path / "no" / "schema.json"))
    assert result.exit_code == 1
    assert "cannot write the schema" in result.stderr


def test_hash_seeds_do_not_change_a_byte() -> None:
    def printed(seed: str) -> bytes:
        return subprocess.run(
            [sys.executable, "-m", "offline_trainer.cli", "schema", "--kind", "data"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout

    assert printed("1") == printed("2")
