"""What a model computes or takes and nothing in it reads."""

from __future__ import annotations

from model_constructor.errors import Note
from model_constructor.graph.ir import GraphIR
from model_constructor.graph.references import references
from model_constructor.source_map import SourceMap


def unused_values(graph: GraphIR, sources: SourceMap) -> list[Note]:
    """The inputs and nodes of a model that no node reads and that are no output.

    >>> from model_constructor.graph.compiler import compile_ir
    >>> nodes = [{"name": "y", "call": "op:relu", "args": ["$x"]}]
    >>> section = {"inputs": ["x", "mask"], "nodes": nodes, "outputs": ["y"]}
    >>> [note.text for note in unused_values(compile_ir({"graph": section}), SourceMap())]
    ['input `mask` of the model is never used: no node reads `$mask`; read it or remove it']
    """
    read = {ref.name for _, ref in graph.outputs}
    for node in graph.nodes:
        read.update(name for _, name in references([*node.args, *node.kwargs.values()]))
    notes = [
        Note(
            f"input `{name}` of the model is never used: no node reads `${name}`; "
            "read it or remove it",
            sources.span((*graph.config_path, "inputs", position)),
        )
        for position, name in enumerate(graph.inputs)
        if name not in read
    ]
    notes += [
        Note(
            f"node `{node.name}` is never used: no node reads `${node.name}` and it is no output; "
            "read it, or remove it",
            node.span,
        )
        for node in graph.nodes
        if node.name not in read
    ]
    return notes
