"""An installed plugin renames a component and a parameter; configs with the old names go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from jsonschema import Draft202012Validator

Install = Callable[..., Path]
Ot = Callable[..., Result]

PLUGIN = """
from offline_trainer.plugins.hooks import hookimpl
OT_PLUGIN_API = (1, 0)

@hookimpl
def ot_register_components(registry):
    loads = "offline_trainer.data.random_regression:RandomRegression"
    registry.add_lazy("data.shop", loads, help="Sales.")
    registry.add_alias("data.store", "data.shop", since="0.2")
    registry.add_alias("data.stall", "data.store", since="0.1")
    registry.rename_parameter("data.shop", "amount", "num_samples", since="0.2")
"""


@pytest.fixture
def config(
    install: Install, small_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> Callable[..., Path]:
    install("shop", PLUGIN)

    def make(**data: Any) -> Path:
        fields = {"x_shape": [4], "y_shape": [2], "batch_size": 8, "val_fraction": 0.2, **data}
        path = tmp_path / "shop.yaml"
        path.write_text(yaml.safe_dump(small_config(data=fields)))
        return path

    return make


def test_a_run_with_old_names_warns_and_records_the_new(
    config: Callable[..., Path], ot: Ot
) -> None:
    path = config(_type_="data.store", amount=50)
    result = ot("run", str(path))
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.stderr.splitlines() if "is called" in line]
    assert len(warnings) == 2
    assert all(line.startswith("ot: shop.yaml:") for line in warnings)
    assert "`data.store` is called `data.shop` since ot-shop 0.2" in warnings[0]
    resolved = yaml.safe_load(Path("run/config.resolved.yaml").read_text())
    assert resolved["data"]["_type_"] == "data.shop"
    assert resolved["data"]["num_samples"] == 50


def test_a_wrong_argument_beside_an_old_name_is_shown_under_the_new(
    config: Callable[..., Path], ot: Ot
) -> None:
    result = ot("check", str(config(_type_="data.store", amount="many")))
    assert result.exit_code == 2
    assert "expected an integer" in result.stderr
    assert "amount: many" in result.stderr


def test_the_way_out_of_a_former_name_is_one_that_works(
    config: Callable[..., Path], ot: Ot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "renaming.py").write_text(
        "def register(registry):\n    registry.add_alias('data.market', 'data.shop', since='0.3')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = config(_type_="data.market", num_samples=5)
    imports = ("++imports=[renaming]", "++settings.allowed_import_prefixes=[renaming]")
    notice = ot("check", str(path), *imports, "data.batch_size=2").stderr
    assert "`ot config migrate --import renaming` rewrites it" in notice
    assert "1 change" in ot("config", "migrate", "--import", "renaming", str(path)).stdout
    from_argument = ot("check", str(path), "data._type_=data.store").stderr
    assert "<cli:1>:1:13: `data.store` is called" in from_argument
    assert "rewrites it" not in from_argument


def test_both_names_are_an_error(config: Callable[..., Path], ot: Ot) -> None:
    result = ot("check", str(config(_type_="data.shop", amount=3, num_samples=4)))
    assert result.exit_code == 2
    assert "error[OT0340]: `amount` and `num_samples` are two names of one parameter" in (
        result.stderr
    )


def test_the_schema_accepts_old_names_and_marks_them(install: Install, ot: Ot) -> None:
    install("shop", PLUGIN)
    schema = json.loads(ot("schema").stdout)
    amount = schema["$defs"]["data.shop"]["properties"]["amount"]
    assert (amount["$ref"], amount["deprecated"]) == ("#/$defs/integer", True)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"data": {"_type_": "data.store", "amount": 3}})
    assert validator.is_valid({"data": {"_type_": "data.stall", "amount": 3}})
    assert not validator.is_valid({"data": {"_type_": "data.stall", "amount": "many"}})
    assert not validator.is_valid({"data": {"_type_": "data.stare"}})
