"""Generated code: where its lines point."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
import torch

from model_constructor.errors import ConfigPath, Span
from model_constructor.graph.compiler import compile_ir
from model_constructor.keys import default_registry
from model_constructor.source_map import Source, SourceMap
from model_constructor.torch.builder import build

SKIP = """\
schema_version: 1
model:
  graph:
    inputs: [x]
    modules:
      encoder: {_type_: nn.Linear, in_features: 4, out_features: 8}
    nodes:
      - {name: h, call: module:encoder, args: [$x]}
      - name: größer  # wörds before the caret
        call: op:add
        args: [$h, $x]
    outputs: [$y]
"""
SECTION: dict[str, Any] = {
    "graph": {
        "inputs": ["x"],
        "modules": {"encoder": {"_type_": "nn.Linear", "in_features": 4, "out_features": 8}},
        "nodes": [
            {"name": "h", "call": "module:encoder", "args": ["$x"]},
            {"name": "y", "call": "op:add", "args": ["$h", "$x"]},
        ],
        "outputs": ["$y"],
    }
}
NODES: ConfigPath = ("model", "graph", "nodes")


def traceback_of(sources: SourceMap | None, x: torch.Tensor) -> str:
    model = build(compile_ir(SECTION, sources=sources), default_registry())
    with pytest.raises(RuntimeError) as caught:
        model(x)
    return "".join(traceback.format_exception(caught.value))


def spans(file: Path, second: Path | None = None) -> SourceMap:
    return SourceMap(
        {
            (*NODES, 0): Source(Span(str(file), 8, 9, 8, 52)),
            (*NODES, 1): Source(Span(str(second or file), 9, 9, 11, 23)),
        }
    )


def test_a_traceback_shows_the_yaml_line_of_the_failing_node(tmp_path: Path) -> None:
    file = tmp_path / "skip.yaml"
    file.write_text(SKIP, encoding="utf-8")
    text = traceback_of(spans(file), torch.zeros(2, 3))  # Linear takes 4
    assert f'File "{file}", line 8, in forward' in text
    assert "- {name: h, call: module:encoder, args: [$x]}" in text
    text = traceback_of(spans(file), torch.zeros(2, 4))  # (2, 8) + (2, 4)
    assert f'File "{file}", line 9, in forward' in text
    assert "- name: größer" in text


def test_a_node_of_another_file_has_its_own_file_in_the_traceback(tmp_path: Path) -> None:
    file, second = tmp_path / "skip.yaml", tmp_path / "base.yaml"
    file.write_text(SKIP, encoding="utf-8")
    second.write_text(SKIP.replace("name: größer", "name: base"), encoding="utf-8")
    text = traceback_of(spans(file, second), torch.zeros(2, 4))
    assert f'File "{second}", line 9, in _node_y' in text
    assert "- name: base" in text


def test_a_model_without_a_file_shows_its_generated_code() -> None:
    text = traceback_of(None, torch.zeros(2, 3))
    assert "h = self.encoder(x)" in text


def test_a_model_with_lines_from_two_files_computes_and_compiles(tmp_path: Path) -> None:
    section = {"graph": {**SECTION["graph"], "nodes": [
        SECTION["graph"]["nodes"][0],
        {"name": "y", "call": "op:mul", "args": ["$h", 2]},
    ]}}  # fmt: skip
    sources = spans(tmp_path / "a.yaml", tmp_path / "b.yaml")
    model: Any = build(compile_ir(section, sources=sources), default_registry())
    x = torch.randn(2, 4)
    torch.testing.assert_close(model(x), model.encoder(x) * 2)
    compiled: Any = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x))
