"""The definitions of a model's two forms: a chain of layers, and a graph."""

from __future__ import annotations

from typing import get_args

from model_constructor.graph.ir import ReturnPolicy
from model_constructor.registry import Registry
from offline_trainer.schema.values import IS_SPEC, Schema, either, leaf, mapping, place, ref, words

_NAME = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}


def model_definitions(registry: Registry) -> Schema:
    """``model`` and what it consists of."""
    modules = {
        "type": ["object", "null"],
        "propertyNames": either(_NAME, {"const": "_template_"}),
        "properties": {"_template_": ref("string")},
        "additionalProperties": place(ref("spec:module")),
    }
    both = {"inputs": _list(place(_NAME)), "return": leaf(words(get_args(ReturnPolicy)))}
    by_pattern = {"type": "object", "additionalProperties": place(ref("spec:init"))}
    by_name = {"type": "object", "additionalProperties": place(ref("node"))}
    return {
        "model": mapping(
            {
                "sequential": place(ref("sequential")),
                "graph": place(ref("graph")),
                "init": place({"if": IS_SPEC, "then": ref("spec:init"), "else": by_pattern}),
                "pretrained": place(ref("spec:pretrained")),
                "freeze": leaf({"type": "boolean"}, {"type": "array", "items": ref("string")}),
            }
        ),
        "sequential": mapping(
            {
                "inputs": place({"type": "array", "items": place(_NAME), "maxItems": 1}),
                "layers": _list(place(ref("spec:module"))),
                "return": both["return"],
            }
        ),
        "graph": mapping(
            {
                "inputs": both["inputs"],
                "modules": place(modules),
                "nodes": place({"if": {"type": "array"}, "then": _nodes(), "else": by_name}),
                "order": _list({"type": "string"}),
                "steps": place(_nodes()),
                "outputs": place({"type": ["array", "object"]}),
                "return": both["return"],
            }
        ),
        "node": mapping(
            {
                "name": ref("string"),
                "out": ref("string"),
                "call": leaf(
                    words([f"op:{name}" for name in registry.list_ops()]), also="^module:.|^op:.*@"
                ),
                "args": place({"type": ["array", "null"]}),
                "kwargs": place({"type": ["object", "null"]}),
            }
        ),
    }


def _list(items: Schema) -> Schema:
    return place({"type": "array", "items": items})


def _nodes() -> Schema:
    return {"type": "array", "items": place(ref("node"))}
