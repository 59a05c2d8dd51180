"""``ot describe``: a component's parameters, place and snippet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from plugin_sources import registering

Install = Callable[..., Path]
Ot = Callable[..., Result]

SOURCE = registering(
    '"data.shop", "shop:Shop", help="Sales."',
    '"cb.shop", "shop:Shop", help="Watches sales."',
    '"optim_cls.Shop", "shop:Optimizer", help="Sells."',
    '"optim_factory.shop", "shop:Shop", help="Makes it."',
    '"cmd.sell_all", "shop:Shop", help="Sells all."',
    head='''
class Shop:
    """Sales of a shop."""

    def __init__(self, path: str, *, sizes: tuple[int, ...] = (1, 2), sep: str = ",", kind=int,
                 **more): ...

class Optimizer:
    def __init__(self, params, lr: float = 1e-3, nesterov: bool = False): ...
''',
)


@pytest.fixture
def shop(install: Install, ot: Ot) -> Callable[[str], dict[str, Any]]:
    install("shop", SOURCE)

    def describe(key: str) -> dict[str, Any]:
        result = ot("describe", key, "--json")
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    return describe


def test_parameters_have_types_and_defaults(shop: Callable[[str], dict[str, Any]]) -> None:
    found = shop("data.shop")
    parameters = {p["name"]: p for p in found["parameters"]}
    assert parameters["path"] == {"name": "path", "type": "str", "required": True, "default": None}
    assert parameters["sizes"]["type"] == "tuple[int, ...]"
    assert parameters["sizes"]["default"] == [1, 2]
    assert (parameters["kind"]["type"], parameters["kind"]["default"]) == (None, "int")
    assert found["more"] == ["**kwargs"]
    assert found["docstring"] == "Sales of a shop."


def test_provider_and_place_are_told(shop: Callable[[str], dict[str, Any]]) -> None:
    found = shop("data.shop")
    assert (found["distribution"], found["version"], found["plugin"]) == (
        "ot-shop",
        "0.2.0",
        "shop",
    )
    line = Path(found["file"]).read_text().splitlines()[found["line"] - 1]
    assert line == "class Shop:"


@pytest.mark.parametrize(
    ("key", "where"),
    [("data.shop", ("data",)), ("cb.shop", ("callbacks", 0)), ("data.shop@ot-shop", ("data",))],
)
def test_the_snippet_stands_where_a_config_wants_it(
    shop: Callable[[str], dict[str, Any]], key: str, where: tuple[Any, ...]
) -> None:
    snippet = shop(key)["snippet"]
    value = yaml.safe_load(snippet)
    for part in where:
        value = value[part]
    assert value == {"_type_": key, "path": None}
    assert "# sep: ','" in snippet
    assert "# sizes: [1, 2]" in snippet


def test_an_optimizer_class_is_shown_inside_its_own_plugins_factory(
    shop: Callable[[str], dict[str, Any]],
) -> None:
    assert yaml.safe_load(shop("optim_cls.Shop")["snippet"])["optimizer"] == {
        "_type_": "optim_factory.shop",
        "type": "optim_cls.Shop",
        "kwargs": {"lr": 0.001},
    }


def test_a_command_is_shown_as_what_to_type(shop: Callable[[str], dict[str, Any]]) -> None:
    assert "ot sell-all --help" in shop("cmd.sell_all")["snippet"]


def test_the_text_has_all_of_it(install: Install, ot: Ot) -> None:
    install("shop", SOURCE)
    text = ot("describe", "data.shop").stdout
    for part in (
        "Sales.",
        "ot-shop 0.2.0",
        "shop.py:",
        "required",
        "= (1, 2)",
        "_type_: data.shop",
    ):
        assert part in text


def test_formulas_are_left_out_of_the_text(install: Install, ot: Ot) -> None:
    head = (
        'class Part:\n    r"""Before.\n\n    .. math::\n       x^2 \\\\\n\n       y\n\n'
        '    After.\n    """\n'
    )
    install("part", registering('"data.part", "part:Part", help="Part."', head=head))
    text = ot("describe", "data.part").stdout
    assert "  Before.\n\n  After.\n" in text
    assert "x^2" not in text


def test_an_unknown_key_gives_the_registrys_error(install: Install, ot: Ot) -> None:
    install("shop", SOURCE)
    result = ot("describe", "data.shup")
    assert result.exit_code == 2
    assert "unknown component `data.shup`" in result.stderr
    assert "did you mean `data.shop`" in result.stderr
    assert "Traceback" not in result.output


def test_of_two_providers_the_distribution_chooses(install: Install, ot: Ot) -> None:
    install("one", registering('"data.same", "one:Data", help="One."', head="class Data: ..."))
    install("two", registering('"data.same", "two:Data", help="Two."', head="class Data: ..."))
    assert ot("describe", "data.same").exit_code == 2
    result = ot("describe", "data.same@ot-two", "--json")
    assert json.loads(result.stdout)["loads"] == "two:Data"
    assert "data.same@ot-two" in json.loads(result.stdout)["snippet"]


@pytest.mark.parametrize("key", ["data.table", "io.mapping", "trainer.default", "log.stdout"])
def test_cores_components_have_a_snippet_that_is_yaml(ot: Ot, key: str) -> None:
    snippet = json.loads(ot("describe", key, "--json").stdout)["snippet"]
    (section,) = yaml.safe_load(snippet).values()
    spec = section[0] if isinstance(section, list) else section
    assert spec["_type_"] == key
