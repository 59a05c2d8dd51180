"""The shapes of every node of every model, for ``ot check --shapes``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from model_constructor.errors import format_config_path
from model_constructor.graph.ir import GraphIR, Node
from model_constructor.registry import OP_PREFIX
from model_constructor.shape_text import shapes
from offline_trainer.cli.tables import on_terminal, plain_rows

if TYPE_CHECKING:
    from offline_trainer.engine import NodeShape
    from offline_trainer.shape_check import ShapeReport


def print_shapes(report: ShapeReport, graphs: Mapping[str, GraphIR]) -> None:
    """A table for each model: path, type, output shape and parameters; then what the loss gets.

    Columns between tabs where stdout is no terminal.
    """
    trace = report.trace
    for name, graph in graphs.items():
        nodes, path = trace.models[name], format_config_path(graph.config_path)
        rows = _rows(graph, nodes)
        total = sum(node.parameters for node in nodes)
        if not on_terminal():
            plain_rows([*rows, [path, "total", "", str(total)]])
            continue
        inputs = ", ".join(f"{key}: {shapes(x)}" for key, x in trace.inputs.get(name, {}).items())
        for row, node in zip(rows, nodes, strict=True):
            # Below its model's heading a path needs only its own part, and has room for a name.
            row[0] = row[0].removeprefix(f"{path}.")
            if path.endswith("graph") and row[0].endswith("]"):
                row[0] += f" {node.name}"
        _print_model(f"{name}  ({inputs or 'not called with this batch'})", rows, total)
    evaluation = trace.evaluation
    if evaluation.loss is None:
        return
    for part, value in (("outputs", evaluation.outputs), ("targets", evaluation.targets)):
        if on_terminal():
            Console(highlight=False).print(Text.assemble((f"{part}  ", "bold"), shapes(value)))
        else:
            plain_rows([["loss", part, shapes(value), ""]])


def _rows(graph: GraphIR, traced: Sequence[NodeShape]) -> list[list[str]]:
    nodes = {node.name: node for node in graph.nodes}
    return [
        [
            format_config_path(nodes[shape.name].config_path),
            _type_of(nodes[shape.name], graph),
            shapes(shape.value) if shape.value is not None else "",
            str(shape.parameters),
        ]
        for shape in traced
    ]


def _type_of(node: Node, graph: GraphIR) -> str:
    if node.call.startswith(OP_PREFIX):
        return node.call
    spec = graph.modules[node.call.partition(":")[2]].spec
    return str(spec.get("_type_") or spec.get("_target_"))


def _print_model(heading: str, rows: list[list[str]], total: int) -> None:
    console = Console(highlight=False)
    console.print(Text(heading, style="bold"))
    table = Table(box=None, pad_edge=False, show_header=False, show_footer=bool(rows))
    table.add_column(style="cyan", footer="  total")
    table.add_column()
    table.add_column()
    table.add_column(justify="right", footer=f"{total:,}")
    for path, kind, shape, parameters in rows:
        table.add_row(Text("  " + path), Text(kind), Text(shape), f"{int(parameters):,}")
    console.print(table)
