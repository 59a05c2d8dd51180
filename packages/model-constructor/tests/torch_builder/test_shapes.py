"""Watching a built model."""

from __future__ import annotations

from typing import Any

import torch

from model_constructor.config.resolve import resolve_config
from model_constructor.graph.compiler import compile_ir
from model_constructor.keys import default_registry
from model_constructor.torch.builder import build
from model_constructor.torch.shapes import graph_of, watched

LINEAR = {"_type_": "nn.Linear", "in_features": 4, "out_features": 4}
SKIP = {
    "graph": {
        "inputs": ["x"],
        "modules": {"encoder": LINEAR},
        "nodes": [
            {"name": "h", "call": "module:encoder", "args": ["$x"]},
            {"name": "_watch", "call": "op:relu", "args": ["$h"]},
            {"name": "y", "call": "op:add", "args": ["$_watch", "$x"]},
        ],
        "outputs": ["$y"],
    }
}


def test_every_node_is_seen_and_what_the_watch_returns_goes_on() -> None:
    model = build(compile_ir(SKIP), default_registry())
    x = torch.randn(3, 4)
    before = model(x)
    seen: list[str] = []

    def watch(name: str, value: Any) -> Any:
        seen.append(name)
        return value * 0 if name == "_watch" else value

    with watched(model, watch):
        torch.testing.assert_close(model(x), x, rtol=0, atol=0)
    assert seen == ["h", "_watch", "y"]
    torch.testing.assert_close(model(x), before, rtol=0, atol=0)
    assert "forward" not in vars(model)


def test_a_model_knows_its_graph() -> None:
    config = resolve_config({"schema_version": 1, "model": SKIP})
    graph = compile_ir(config.data["model"], sources=config.source_map)
    assert graph_of(build(graph, default_registry())) is graph
