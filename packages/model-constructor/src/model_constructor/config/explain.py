"""Why a value is what it is: who set it, what that replaced, and every hop of its references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model_constructor.config.nodes import Hop
from model_constructor.config.paths import leaves, value_at
from model_constructor.config.provenance import Layer
from model_constructor.config.resolve import ResolvedConfig
from model_constructor.config.scalars import shorten, write_scalar
from model_constructor.config.show import place_of
from model_constructor.errors import ConfigPath, Span
from model_constructor.errors import format_config_path as path_text
from model_constructor.redaction import without_secrets

_MAX_VALUE = 40


@dataclass(frozen=True, slots=True)
class ExplainedHop:
    """What one ``${…}`` turned out to be.

    Attributes:
        hop: As the resolver found it.
        target: The value it named; None for an environment variable, for a default, and for a
            value that the explanation has shown before.
    """

    hop: Hop
    target: Explanation | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The history of one value.

    Attributes:
        path: Which value.
        value: It, in a short form; ``***`` for a secret.
        layers: Everything that set it, the winner first.
        hops: What the references in the winner turned out to be.
        within: Mappings and lists around it that are expressions themselves, and those's hops.
        templates: Where a template set something of it: the name of each ``_template_`` on the way,
            and where it stands.
        fields: Of a mapping or list, every leaf in it, with its layers, the winner first.
    """

    path: ConfigPath
    value: str
    layers: tuple[Layer, ...]
    hops: tuple[ExplainedHop, ...]
    within: tuple[tuple[ConfigPath, Layer, tuple[ExplainedHop, ...]], ...]
    templates: tuple[tuple[str, Span | None], ...]
    fields: tuple[tuple[ConfigPath, str, tuple[Layer, ...]], ...]

    def as_text(self) -> str:
        """For people: one line for each place."""
        return "".join(f"{line}\n" for line in _lines(self))

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **_path_data(self.path),
            "value": self.value,
            "set_by": [_layer_data(layer) for layer in self.layers],
            "references": [_hop_data(one) for one in self.hops],
            "within": [
                {
                    **_path_data(path),
                    "set_by": _layer_data(layer),
                    "references": [_hop_data(one) for one in hops],
                }
                for path, layer, hops in self.within
            ],
            "templates": [
                {"name": name, "location": str(span) if span else None}
                for name, span in self.templates
            ],
            "fields": [
                {
                    **_path_data(path),
                    "value": value,
                    "set_by": [_layer_data(each) for each in layers],
                }
                for path, value, layers in self.fields
            ],
        }


def explain(resolved: ResolvedConfig, path: ConfigPath) -> Explanation:
    """The history of the value at a path that exists.

    >>> from model_constructor import resolve_config
    >>> config = resolve_config({"schema_version": 1, "params": {"a": 1, "b": "${params.a}"}})
    >>> explain(config, ("params", "b")).hops[0].target.value
    '1'
    """
    return _Explainer(resolved).explain(path)


class _Explainer:
    """Follows references, each value once."""

    def __init__(self, resolved: ResolvedConfig) -> None:
        self.provenance = resolved.provenance
        self.data = without_secrets(resolved.data, resolved.secrets)
        self.seen: set[ConfigPath] = set()

    def explain(self, path: ConfigPath) -> Explanation:
        self.seen.add(path)
        value = value_at(self.data, path)
        layers = self.layers(path)
        hops = self.hops(layers[0]) if layers else ()
        within = []
        for length in range(1, len(path)):
            around = self.layers(path[:length])
            if around and around[0].references:
                within.append((path[:length], around[0], self.hops(around[0], path[length:])))
        inner = leaves(value, path) if isinstance(value, dict | list) and value else ()
        fields = tuple((leaf, _short(item), self.layers(leaf)) for leaf, item in inner)
        every = [(path, layers), *((leaf, setters) for leaf, _, setters in fields)]
        templates = {
            use: None
            for at, setters in every
            if any(layer.template for layer in setters)
            for use in self.provenance.template_uses(at)
        }
        return Explanation(
            path, _short(value), layers, hops, tuple(within), tuple(templates), fields
        )

    def layers(self, path: ConfigPath) -> tuple[Layer, ...]:
        return tuple(reversed(self.provenance.get(path, ())))

    def hops(self, layer: Layer, below: ConfigPath = ()) -> tuple[ExplainedHop, ...]:
        """What the layer's references turned out to be, or the part of that ``below`` it."""
        hops = []
        for hop in layer.references:
            path = (*hop.path, *below) if hop.path is not None else None
            new = path is not None and path not in self.seen
            hops.append(ExplainedHop(hop, self.explain(path) if new and path else None))
        return tuple(hops)


def _lines(explanation: Explanation) -> Iterator[str]:
    yield f"{path_text(explanation.path)}: {explanation.value}"
    rows = [
        (f"  {'replaced' if i else 'set'}", place_of(layer), *_written(layer))
        for i, layer in enumerate(explanation.layers)
    ]
    yield from _table(rows)
    yield from _hop_lines(explanation.hops)
    for path, layer, hops in explanation.within:
        yield f"  within {path_text(path)}, which is {layer.value} ({place_of(layer)})"
        yield from _hop_lines(hops)
    for name, span in explanation.templates:
        yield f"  template {name} is used at {span or 'a place in Python'}"
    depth = len(explanation.path)
    yield from _table(
        [
            (
                f"  {path_text(path[depth:])}: {value}",
                place_of(layers[0]),
                *_notes(layers),
            )
            for path, value, layers in explanation.fields
            if layers
        ]
    )


def _written(layer: Layer) -> tuple[str, ...]:
    return (layer.value, f"in template {layer.template}") if layer.template else (layer.value,)


def _notes(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    winner, *losers = layers
    notes = [winner.value] if winner.references else []
    notes += [f"in template {winner.template}"] if winner.template else []
    notes += [f"was {each.value} at {place_of(each)}" for each in losers[:1]]
    notes += [f"and {len(losers) - 1} more"] if len(losers) > 1 else []
    return (", ".join(notes),) if notes else ()


def _hop_lines(hops: tuple[ExplainedHop, ...]) -> Iterator[str]:
    for one in hops:
        hop = one.hop
        if one.target is not None:
            first, *rest = _lines(one.target)
            yield f"  {hop.expression} is {first}"
            yield from (f"  {line}" for line in rest)
        elif hop.path is not None:
            yield f"  {hop.expression} is {path_text(hop.path)}, shown above"
        elif hop.env:
            yield f"  {hop.expression} is the environment variable {hop.env}"
        else:
            yield f"  {hop.expression} is its default, for what it names is not there"


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows with the first two columns aligned."""
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, [*widths, 0, 0], strict=False)]
        yield "  ".join(cells).rstrip()


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return shorten("{" + ", ".join(value) + "}", _MAX_VALUE)
    if isinstance(value, list):
        return f"[{len(value)} items]" if value else "[]"
    return shorten(write_scalar(value), _MAX_VALUE)


def _path_data(path: ConfigPath) -> dict[str, Any]:
    return {"path": path_text(path), "config_path": list(path)}


def _layer_data(layer: Layer) -> dict[str, Any]:
    span = layer.span
    return {
        "value": layer.value,
        "source": layer.name,
        "location": str(span) if span else None,
        "file": span.file if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "template": layer.template or None,
    }


def _hop_data(one: ExplainedHop) -> dict[str, Any]:
    hop = one.hop
    return {
        "expression": hop.expression,
        "path": path_text(hop.path) if hop.path is not None else None,
        "environment": hop.env or None,
        "is_default": hop.path is None and not hop.env,
        "target": one.target.as_data() if one.target is not None else None,
    }
