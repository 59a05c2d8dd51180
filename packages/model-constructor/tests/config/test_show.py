"""The resolved config as YAML and as JSON, with and without where it came from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_constructor import resolve_config
from model_constructor.config.show import show_data, show_yaml

BASE = """
    templates: {slow: {eps: 1e-8}}
    optimizer:
      type: optim_cls.AdamW
      kwargs: {lr: 1e-3, betas: [0.9, 0.99]}
"""
MAIN = """\
defaults: [base.yaml]
params: {lr: 0.5, text: "$${x}", wide: .inf, none: null, token: "${env:MY_TOKEN}"}
optimizer:
  kwargs: {_template_: slow, lr: 1e-2}
"""


@pytest.fixture
def config(resolve: Any) -> Any:
    return resolve(
        MAIN,
        "optimizer.kwargs.lr=${params.lr}",
        files={"base.yaml": BASE},
        environ={"MY_TOKEN": "hush"},
    )


def test_what_is_shown_resolves_to_the_same(config: Any, folder: Any) -> None:
    (folder / "shown.yaml").write_text(show_yaml(config))
    (folder / "noted.yaml").write_text(show_yaml(config, provenance=True))
    expected = {**config.data, "params": {**config.data["params"], "token": "***"}}
    assert resolve_config("shown.yaml").data == expected
    assert resolve_config("noted.yaml").data == expected


def test_each_leaf_says_where_it_came_from(config: Any) -> None:
    assert show_yaml(config, ("optimizer",), provenance=True) == (
        "type: optim_cls.AdamW  # base.yaml:4:9\n"
        "kwargs:\n"
        "  eps: 1.0e-08         # base.yaml:2:25 in template slow\n"
        "  lr: 0.5              # <cli:1>:1:21 ${params.lr}\n"
        "                       # was 1e-2 at main.yaml:5:34, and 1 more before\n"
        "  betas:\n"
        "    - 0.9              # base.yaml:5:30\n"
        "    - 0.99             # base.yaml:5:35\n"
    )


def test_a_long_value_does_not_push_the_others_away(resolve: Any) -> None:
    shown = show_yaml(resolve(f"params: {{a: {'x' * 90}, b: 1}}"), ("params",), provenance=True)
    assert shown.splitlines() == [
        f"a: {'x' * 90}  # main.yaml:2:13",
        f"{'b: 1':<44}  # main.yaml:2:108",
    ]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("params", "lr"), "0.5  # main.yaml:3:14\n"),
        (("optimizer", "kwargs", "betas", 1), "0.99  # base.yaml:5:35\n"),
        (("params", "token"), "\"***\"  # main.yaml:3:65 '${env:MY_TOKEN}'\n"),
    ],
)
def test_a_part_is_shown(config: Any, path: Any, shown: str) -> None:
    assert show_yaml(config, path, provenance=True) == shown


def test_data_is_what_json_can_hold(config: Any) -> None:
    data = show_data(config, ("params",))
    assert json.loads(json.dumps(data, allow_nan=False)) == {
        "lr": 0.5,
        "text": "${x}",
        "wide": ".inf",
        "none": None,
        "token": "***",
    }


def test_python_data_has_no_places() -> None:
    config = resolve_config({"schema_version": 1, "params": {"a": 1}})
    assert show_yaml(config, ("params",), provenance=True) == "a: 1  # <mapping>\n"
