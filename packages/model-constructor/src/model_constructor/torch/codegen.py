"""Writes a graph's ``forward`` as ordinary Python and compiles it under the YAML's own lines.

``sequential`` with two layers becomes

    def forward(self, x):
        layer_0 = self.layer_0(x)
        layer_1 = self.layer_1(layer_0); del layer_0
        return layer_1

whose statements carry the file name and line of the layers in the YAML, so that a traceback from
inside a layer shows the YAML line that asked for it. Operations are bound as globals; nothing of
the graph is looked at when the function runs.
"""

from __future__ import annotations

import ast
import linecache
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import FunctionType
from typing import Any, cast

from model_constructor.errors import Span
from model_constructor.graph.failure import GRAPH_NAME
from model_constructor.graph.ir import GraphIR, Node, Ref
from model_constructor.graph.references import references

Functions = Mapping[str, Callable[..., Any]]
Watch = Callable[[str, Any], Any]
"""Called with a node's name and value; what it returns goes on."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One statement of the generated source, and where the YAML asks for it."""

    text: str
    span: Span | None


def generate_forward(
    graph: GraphIR, functions: Functions, watch: Watch | None = None
) -> FunctionType:
    """The ``forward`` of a graph.

    Args:
        graph: What to compute.
        functions: The function of every ``op:<name>`` that the graph calls.
        watch: Sees every node's value as it is computed.

    Returns:
        A function of ``self`` and the graph's inputs.
    """
    taken = {GRAPH_NAME, *graph.inputs, *(node.name for node in graph.nodes)}
    namespace: dict[str, Any] = {GRAPH_NAME: graph}
    calls: dict[str, str] = {}
    for call, function in functions.items():
        name = _unused("_" + call.replace(":", "_").replace(".", "_"), taken)
        calls[call], namespace[name] = name, function
    watching = _unused("_watch", taken)
    namespace[watching] = watch
    file = _main_file(graph)
    last_readers = _last_readers(graph)
    lines = [_Line(f"def forward({', '.join(('self', *graph.inputs))}):", graph.span)]
    for node in graph.nodes:
        expression = _call_source(node, calls)
        if node.span is not None and node.span.file != file:
            name = _unused(f"_node_{node.name}", taken)
            parameters = ", ".join(("self", *_names_read(node)))
            helper = [
                _Line(f"def {name}({parameters}):", node.span),
                _Line(f"    return {expression}", node.span),
            ]
            namespace[name] = _compile(helper, node.span.file, name, namespace)
            expression = f"{name}({parameters})"
        if watch is not None:
            expression = f"{watching}({node.name!r}, {expression})"
        dead = [name for name, reader in last_readers.items() if reader == node.name]
        release = f"; del {', '.join(dead)}" if dead else ""
        lines.append(_Line(f"    {node.name} = {expression}{release}", node.span))
    lines.append(_Line(f"    return {_return_source(graph)}", graph.span))
    return _compile(lines, file, "forward", namespace)


def _main_file(graph: GraphIR) -> str | None:
    """The file most nodes stand in; a function can have only one."""
    files = Counter(node.span.file for node in graph.nodes if node.span is not None)
    if files:
        return files.most_common(1)[0][0]
    return graph.span.file if graph.span is not None else None


def _last_readers(graph: GraphIR) -> dict[str, str]:
    """Each node that is no output, with the last node that reads it (itself, if none does).

    Its value is dropped there, so that a deep model in evaluation does not keep every activation.
    """
    kept = {ref.name for _, ref in graph.outputs}
    readers = {node.name: node.name for node in graph.nodes if node.name not in kept}
    for node in graph.nodes:
        readers.update({name: node.name for name in _names_read(node) if name in readers})
    return readers


def _names_read(node: Node) -> tuple[str, ...]:
    found = [name for part in (node.args, node.kwargs) for _, name in references(part)]
    return tuple(dict.fromkeys(found))


def _call_source(node: Node, calls: Mapping[str, str]) -> str:
    function = calls.get(node.call) or f"self.{node.call.partition(':')[2]}"
    arguments = [_source(value) for value in node.args]
    arguments += [f"{name}={_source(value)}" for name, value in node.kwargs.items()]
    return f"{function}({', '.join(arguments)})"


def _return_source(graph: GraphIR) -> str:
    values = [ref.name for _, ref in graph.outputs]
    if graph.returns == "single":
        return values[0]
    if graph.returns == "tuple":
        return f"({', '.join(values)},)"
    return _source(dict(graph.outputs))


def _source(value: Any) -> str:
    """An argument as Python source, on one line."""
    if isinstance(value, Ref):
        return value.name
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_source(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k!r}: {_source(item)}' for k, item in value.items())}}}"
    if isinstance(value, float) and not math.isfinite(value):
        # No name may be used for these: a node can be called `float`.
        return "(1e999 - 1e999)" if math.isnan(value) else "1e999" if value > 0 else "-1e999"
    return repr(value)


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _compile(
    lines: list[_Line], file: str | None, name: str, namespace: dict[str, Any]
) -> FunctionType:
    source = "\n".join(line.text for line in lines) + "\n"
    tree = ast.parse(source)
    if file is None:
        # No YAML to point at: a traceback shows the generated source instead.
        file = f"<model-constructor {sha256(source.encode()).hexdigest()[:12]}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    else:
        _relocate(tree, [line.span for line in lines], file)
    exec(compile(tree, file, "exec"), namespace)
    return cast(FunctionType, namespace[name])


def _relocate(tree: ast.Module, spans: list[Span | None], file: str) -> None:
    """Move every syntax node from its line of the source to the YAML's span for that line.

    What stands in another file goes to the first line: the helper it calls has the true place.
    """
    places = [_place(span, file) for span in spans]
    for part in ast.walk(tree):
        if isinstance(part, (ast.stmt, ast.expr, ast.arg, ast.keyword)):
            line, start, end = places[part.lineno - 1]
            part.lineno = part.end_lineno = line
            part.col_offset, part.end_col_offset = start, end


def _place(span: Span | None, file: str) -> tuple[int, int, int]:
    """Line, first and last byte of a span, up to the end of its first line.

    No further, because Python shows the last line of a call that has several, and the first is
    the one that says what is called.
    """
    if span is None or span.file != file:
        return 1, 0, len(linecache.getline(file, 1).rstrip().encode())
    line = linecache.getline(file, span.line).rstrip("\n")
    ends_here = span.end_line == span.line
    start = len(line[: span.column - 1].encode())
    return span.line, start, len(line[: span.end_column - 1 if ends_here else None].encode())
