"""Inputs and nodes that nothing reads."""

from __future__ import annotations

from typing import Any

import pytest

from model_constructor.graph.compiler import compile_ir
from model_constructor.graph.unused import unused_values
from model_constructor.source_map import SourceMap


def node(name: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"name": name, "call": "op:any", "args": list(args), "kwargs": kwargs}


@pytest.mark.parametrize(
    ("inputs", "nodes", "outputs", "unused"),
    [
        (["x"], [node("y", "$x")], ["y"], []),
        (["x", "z"], [node("y", "$x", key={"deep": ["$z"]})], {"a": "$y"}, []),
        (["x", "z"], [node("y", "$x")], ["y", "z"], []),
        (["x", "z"], [node("y", "$x")], ["y"], ["z"]),
        (["x"], [node("y", "$x"), node("w", "$x")], ["y"], ["w"]),
        # the first is found once the second is gone
        (["x"], [node("y", "$x"), node("v", "$x"), node("w", "$v")], ["y"], ["w"]),
    ],
)
def test_only_what_nobody_reads_is_found(
    inputs: list[str], nodes: list[dict[str, Any]], outputs: Any, unused: list[str]
) -> None:
    section = {"inputs": inputs, "nodes": nodes, "outputs": outputs}
    notes = unused_values(compile_ir({"graph": section}), SourceMap())
    assert [note.text.split("`")[1] for note in notes] == unused
