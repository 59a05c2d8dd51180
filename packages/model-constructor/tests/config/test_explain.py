"""Why a value is what it is: every place that set it, every hop of its references."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from model_constructor import resolve_config
from model_constructor.config.explain import explain
from model_constructor.config.paths import follow

BASE = """\
templates:
  fast: {lr: 0.3, eps: 1e-8}
params: {lr: 0.1, all: {deep: "${params.lr}", flat: 7}}
optimizer:
  kwargs: {lr: 1e-3}
"""
MAIN = """\
defaults: [base.yaml]
params: {lr: 0.2}
optimizer:
  kwargs: {_template_: fast, lr: 1e-2}
loss: ${params.all}
trainer:
  a: ${env:SET,1}
  b: ${env:UNSET,${params.absent,5}}
  c: ${params.lr}-${params.lr}
"""

Told = Callable[..., str]


@pytest.fixture
def told(resolve: Any) -> Told:
    def tell(path: str, *overrides: str) -> str:
        files, environ = {"base.yaml": BASE}, {"SET": "4"}
        config = resolve(MAIN, *overrides, files=files, environ=environ)
        return explain(config, follow(path, config.data)).as_text()

    return tell


def dedented(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_base_experiment_command_line_and_reference_are_all_told(told: Told) -> None:
    assert told("optimizer.kwargs.lr", "optimizer.kwargs.lr=${params.lr}") == dedented("""
        optimizer.kwargs.lr: 0.2
          set       <cli:1>:1:21    ${params.lr}
          replaced  main.yaml:5:34  1e-2
          replaced  base.yaml:5:16  1e-3
          replaced  base.yaml:2:14  0.3  in template fast
          ${params.lr} is params.lr: 0.2
            set       main.yaml:3:14  0.2
            replaced  base.yaml:3:14  0.1
          template fast is used at main.yaml:5:24
    """)


def test_a_value_inside_of_what_a_reference_named(told: Told) -> None:
    assert told("loss.deep") == dedented("""
        loss.deep: 0.2
          set  base.yaml:3:31  '${params.lr}'
          ${params.lr} is params.lr: 0.2
            set       main.yaml:3:14  0.2
            replaced  base.yaml:3:14  0.1
          within loss, which is ${params.all} (main.yaml:6:7)
          ${params.all} is params.all.deep: 0.2
            set  base.yaml:3:31  '${params.lr}'
            ${params.lr} is params.lr, shown above
    """)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("trainer.a", "  ${env:SET,1} is the environment variable SET"),
        (
            "trainer.b",
            "  ${env:UNSET,${params.absent,5}} is its default, for what it names is not there",
        ),
        ("trainer.b", "  ${params.absent,5} is its default, for what it names is not there"),
        ("trainer.c", "  ${params.lr} is params.lr, shown above"),
    ],
)
def test_what_references_turned_out_to_be(told: Told, path: str, line: str) -> None:
    assert line in told(path).splitlines()


def test_a_mapping_tells_what_set_its_fields(told: Told) -> None:
    assert told("optimizer", "++optimizer.kwargs.betas=[0.9, 0.99]") == dedented("""
        optimizer: {kwargs}
          template fast is used at main.yaml:5:24
          kwargs.lr: 0.01        main.yaml:5:34  was 1e-3 at base.yaml:5:16, and 1 more
          kwargs.eps: 1e-08      base.yaml:2:24  in template fast
          kwargs.betas[0]: 0.9   <cli:1>:1:27
          kwargs.betas[1]: 0.99  <cli:1>:1:32
    """)


def test_a_template_is_told_only_where_it_set_something(told: Told) -> None:
    assert "template" not in told("params")
    assert "template" in told("optimizer.kwargs.eps")


def test_a_long_chain_of_doubled_references_is_told_once(resolve: Any) -> None:
    lines = ["params:", "  v0: v"]
    lines += [f"  v{i}: ${{params.v{i - 1}}}${{params.v{i - 1}}}" for i in range(1, 14)]
    config = resolve("\n".join(lines) + "\n")
    text = explain(config, ("params", "v13")).as_text()
    assert text.count("shown above") == 13
    assert "params.v0: v\n" in text


def test_the_json_has_every_place(resolve: Any) -> None:
    config = resolve(
        MAIN,
        "optimizer.kwargs.lr=${params.lr}",
        files={"base.yaml": BASE},
    )
    data = json.loads(json.dumps(explain(config, ("optimizer", "kwargs", "lr")).as_data()))
    assert data["path"] == "optimizer.kwargs.lr"
    assert [one["location"] for one in data["set_by"]] == [
        "<cli:1>:1:21",
        "main.yaml:5:34",
        "base.yaml:5:16",
        "base.yaml:2:14",
    ]
    assert data["set_by"][-1]["template"] == "fast"
    (hop,) = data["references"]
    assert hop["path"] == "params.lr"
    assert [one["location"] for one in hop["target"]["set_by"]] == [
        "main.yaml:3:14",
        "base.yaml:3:14",
    ]
    assert data["templates"] == [{"name": "fast", "location": "main.yaml:5:24"}]


def test_python_data_is_told_as_such() -> None:
    config = resolve_config({"schema_version": 1, "params": {"a": 1}})
    assert explain(config, ("params", "a")).as_text() == "params.a: 1\n  set  <mapping>  1\n"


def test_many_layers_of_one_value_are_told_quickly(resolve: Any) -> None:
    text = "templates: {t: {x: 0}}\nparams: {_template_: t}\n"
    config = resolve(text, *(f"templates.t.x={i}" for i in range(60)))
    told = explain(config, ("params", "x")).as_text()
    assert told.count("in template t") == 61
