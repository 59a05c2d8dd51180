"""Finding the node that failed, from nothing but the traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from model_constructor.config.resolve import ResolvedConfig, resolve_config
from model_constructor.errors import ConfigError
from model_constructor.graph.compiler import compile_ir
from model_constructor.graph.failure import explain_failure
from model_constructor.keys import default_registry
from model_constructor.source_map import SourceMap
from model_constructor.torch.builder import build

MODULES = {
    "wide": "{_type_: nn.Linear, in_features: 4, out_features: 8}",
    "same": "{_type_: nn.Linear, in_features: 4, out_features: 4}",
    "both": "{_type_: nn.Bilinear, in1_features: 4, in2_features: 8, out_features: 2}",
}


def failure(config: ResolvedConfig, x: Any = None) -> ConfigError:
    graph = compile_ir(config.data["model"], sources=config.source_map)
    model = build(graph, default_registry())
    with pytest.raises(Exception) as caught:  # noqa: PT011 - torch's own, of several types
        model(torch.zeros(3, 4) if x is None else x)
    error = explain_failure(caught.value, config.source_map)
    assert error is not None
    return error


def graph(nodes: str) -> str:
    """A file whose nodes start in line 6, and one more for each module that they call."""
    called = "".join(f"      {k}: {v}\n" for k, v in MODULES.items() if f"module:{k}" in nodes)
    modules = f"    modules:\n{called}" if called else ""
    return (
        f"schema_version: 1\nmodel:\n  graph:\n    inputs: [x]\n{modules}"
        f"    nodes:\n{nodes}    outputs: [y]\n"
    )


def test_a_node_that_nothing_reads_ran_before_the_one_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(
        graph(
            "      - {name: h, call: 'module:wide', args: [$x]}\n"
            "      - {name: lost, call: 'op:relu', args: [$h]}\n"
            "      - {name: y, call: 'module:same', args: [$h]}\n"
        )
    )
    error = failure(resolve_config(file))
    assert error.config_path == ("model", "graph", "nodes", 2)
    assert str(error.span) == f"{file}:11:9"


def test_a_module_called_twice_is_blamed_where_it_failed() -> None:
    nodes = [
        {"name": "h", "call": "module:same", "args": ["$x"]},
        {"name": "w", "call": "module:wide", "args": ["$h"]},
        {"name": "y", "call": "module:same", "kwargs": {"input": "$w"}},
    ]
    linear = {"_type_": "nn.Linear", "in_features": 4}
    modules = {"same": {**linear, "out_features": 4}, "wide": {**linear, "out_features": 8}}
    section = {"inputs": ["x"], "modules": modules, "nodes": nodes, "outputs": ["y"]}
    error = failure(resolve_config({"schema_version": 1, "model": {"graph": section}}))
    assert error.config_path == ("model", "graph", "nodes", 2)
    assert error.message == "nn.Linear wants 4 features, gets (3, 8) float32"


def test_a_node_that_stands_in_another_file_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        graph(
            "      h: {call: 'module:same', args: [$x]}\n"
            "      y: {call: 'op:relu', args: [$h]}\n"
            "    order: [h, y]\n"
        )
    )
    main = tmp_path / "main.yaml"
    main.write_text(
        "schema_version: 1\ndefaults: [base.yaml]\nmodel:\n  graph:\n    nodes:\n"
        "      mid: {call: 'op:reshape', args: [$h, [5, 5]]}\n"
        "      y: {args: [$mid]}\n    order: [h, mid, y]\n"
    )
    error = failure(resolve_config(main))
    assert error.config_path == ("model", "graph", "nodes", "mid")
    assert str(error.span) == f"{main}:6:12"
    assert error.message.startswith("op:reshape failed on (3, 4) float32 and [int, int]: Runtime")
    assert error.notes[0].text == "(3, 4) float32 comes from node `h`"


def test_a_layer_whose_sizes_have_other_names_shows_what_it_got(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(graph("      - {name: y, call: 'module:both', args: [$x, $x]}\n"))
    error = failure(resolve_config(file))
    assert error.message.startswith("nn.Bilinear failed on (3, 4) float32 and (3, 4) float32: ")


def test_a_size_that_is_right_is_not_blamed(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(graph("      - {name: y, call: 'module:same', args: [$x]}\n"))
    error = failure(resolve_config(file), torch.zeros(3, 4, dtype=torch.float64))
    assert error.message.startswith("nn.Linear failed on (3, 4) float64: RuntimeError: mat1")


def test_a_part_given_under_kwargs_is_found() -> None:
    linear = {"_type_": "nn.Linear", "in_features": 5, "out_features": 4}
    block = {"_type_": "residual_block", "_kwargs_": {"inner": linear}}
    section = {"sequential": {"inputs": ["x"], "layers": [block]}}
    error = failure(resolve_config({"schema_version": 1, "model": section}))
    assert error.message == "nn.Linear wants 5 features, gets (3, 4) float32"


def test_an_error_from_elsewhere_is_not_explained() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert explain_failure(caught.value, SourceMap()) is None
