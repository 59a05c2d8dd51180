"""From a YAML file to a torch module, without the trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError
from model_constructor.graph.compiler import compile_ir
from model_constructor.keys import default_registry
from model_constructor.registry import Registry

if TYPE_CHECKING:
    from torch import nn


def build_model(
    source: str | Path | Mapping[str, Any],
    *,
    registry: Registry | None = None,
    seed: int = 0,
    overrides: Sequence[str] = (),
) -> nn.Module:
    """Build the model of a configuration.

    Args:
        source: Path of a YAML file, or the configuration as a mapping; only ``schema_version``
            and ``model`` are needed in it.
        registry: Where components are looked up; by default this package's own.
        seed: Of the initial weights.
        overrides: As on the command line, such as ``model.sequential.layers[0].dropout=0.2``.

    Raises:
        ConfigError: The configuration is wrong, or torch is not installed.

    >>> import torch
    >>> layers = [{"_type_": "mlp", "dims": [8, 16, 2]}]
    >>> model = {"sequential": {"inputs": ["x"], "layers": layers}}
    >>> build_model({"schema_version": 1, "model": model})(torch.zeros(4, 8)).shape
    torch.Size([4, 2])
    """
    config = resolve_config(source, overrides)
    if "model" not in config.data:
        raise ConfigError(
            "`model` is missing",
            code="OT0403",
            span=config.source_map.span(()),
            help="for several `models` use compile_all, then model_constructor.torch.build on each",
        )
    graph = compile_ir(config.data["model"], sources=config.source_map, settings=config.settings)
    if find_spec("torch") is None:
        raise ConfigError(
            "building a model needs torch, which is not installed here",
            code="OT0423",
            config_path=("model",),
            span=config.source_map.span(("model",)),
            help="pip install model-constructor[torch]",
        )
    from model_constructor.torch.builder import build

    return build(
        graph,
        registry if registry is not None else default_registry(),
        seed=seed,
    )
