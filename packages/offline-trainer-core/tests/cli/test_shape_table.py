"""The table of shapes, for people and for programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_constructor.graph.compiler import compile_all
from offline_trainer.cli import shape_table
from offline_trainer.engine import EvalOutput, NodeShape, ShapeTrace
from offline_trainer.shape_check import ShapeReport

GRAPHS = compile_all(
    {
        "models": {
            "actor": {
                "graph": {
                    "inputs": ["x"],
                    "modules": {"head": {"_type_": "nn.Linear"}},
                    "nodes": [
                        {"name": "h", "call": "op:relu", "args": ["$x"]},
                        {"name": "y", "call": "module:head", "args": ["$h"]},
                    ],
                    "outputs": ["y"],
                }
            },
            "idle": {"sequential": {"inputs": ["x"], "layers": [{"_type_": "nn.ReLU"}]}},
        }
    }
)
X, Y = np.zeros((8, 4), np.float32), np.zeros((8, 1_000), np.float32)
NODES = [NodeShape("h", X, 0), NodeShape("y", Y, 5_000)]


def report(evaluation: EvalOutput) -> ShapeReport:
    return ShapeReport(
        ShapeTrace({"actor": NODES, "idle": []}, {"actor": {"x": X}}, evaluation), 8, ()
    )


def test_a_program_reads_columns_between_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    shape_table.print_shapes(report(EvalOutput(0.0, {}, Y, {"y": X})), GRAPHS)
    assert capsys.readouterr().out.splitlines() == [
        "models.actor.graph.nodes[0]\top:relu\t(8, 4) float32\t0",
        "models.actor.graph.nodes[1]\tnn.Linear\t(8, 1000) float32\t5000",
        "models.actor.graph\ttotal\t\t5000",
        "models.idle.sequential\ttotal\t\t0",
        "loss\toutputs\t(8, 1000) float32\t",
        "loss\ttargets\t{y: (8, 4) float32}\t",
    ]


def test_a_person_reads_a_table_for_each_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape_table, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    shape_table.print_shapes(report(EvalOutput(None)), GRAPHS)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "actor  (x: (8, 4) float32)",
        "  nodes[0] h  op:relu    (8, 4) float32         0",
        "  nodes[1] y  nn.Linear  (8, 1000) float32  5,000",
        "  total                                     5,000",
        "idle  (not called with this batch)",
    ]


def test_markup_in_a_config_is_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape_table, "on_terminal", lambda: True)
    layer: dict[str, Any] = {"_type_": "[red]odd"}
    graphs = compile_all({"model": {"sequential": {"inputs": ["x"], "layers": [layer]}}})
    trace = ShapeTrace({"model": [NodeShape("layer_0", X, 0)]}, {}, EvalOutput(None))
    shape_table.print_shapes(ShapeReport(trace, 8, ()), graphs)
    assert "[red]odd" in capsys.readouterr().out
