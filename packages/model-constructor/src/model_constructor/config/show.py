"""A resolved config for people: as YAML, on request with where each value came from."""

from __future__ import annotations

import math
from typing import Any

from model_constructor.config.paths import value_at
from model_constructor.config.provenance import Layer
from model_constructor.config.resolve import ResolvedConfig
from model_constructor.config.resolved_yaml import write_yaml
from model_constructor.config.scalars import shorten, write_scalar
from model_constructor.errors import ConfigPath
from model_constructor.redaction import without_secrets

_MAX_VALUE = 24


def show_yaml(resolved: ResolvedConfig, path: ConfigPath = (), *, provenance: bool = False) -> str:
    """The resolved config, or the part at a path, as YAML that resolves again; secrets hidden.

    >>> from model_constructor import resolve_config
    >>> print(show_yaml(resolve_config({"schema_version": 1, "params": {"lr": 1e-3}})), end="")
    schema_version: 1
    params:
      lr: 0.001

    Args:
        resolved: What `resolve_config` made.
        path: A path that exists.
        provenance: Say after each leaf which file:line:col set it, and what that replaced.
    """

    def place(leaf: ConfigPath) -> str:
        layers = resolved.provenance.get(leaf)
        return _history(layers) if layers else ""

    value = value_at(_visible(resolved), path)
    comment = place if provenance else None
    return write_yaml(value, resolved.source_map, path=path, comment=comment, aligned=True)


def show_data(resolved: ResolvedConfig, path: ConfigPath = ()) -> Any:
    """The same as data for JSON, which has no infinity: such numbers are text, as in YAML."""
    return _for_json(value_at(_visible(resolved), path))


def place_of(layer: Layer) -> str:
    """Where a layer's value was written: ``file:line:col``, or who gave it."""
    return str(layer.span) if layer.span is not None else layer.name


def _visible(resolved: ResolvedConfig) -> Any:
    return without_secrets(resolved.data, resolved.secrets)


def _history(layers: tuple[Layer, ...]) -> str:
    *losers, winner = layers
    text = place_of(winner)
    if winner.references:
        text += f" {shorten(winner.value, _MAX_VALUE)}"
    if winner.template:
        text += f" in template {winner.template}"
    if losers:
        text += f"\nwas {shorten(losers[-1].value, _MAX_VALUE)} at {place_of(losers[-1])}"
    if len(losers) > 1:
        text += f", and {len(losers) - 1} more before"
    return text


def _for_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _for_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_for_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return write_scalar(value)
    return value
