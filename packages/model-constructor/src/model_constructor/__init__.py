"""Configuration language, component registry and models described in YAML.

Importing this package imports neither yaml nor any framework: public names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_constructor.build import build_model
    from model_constructor.config.resolve import ResolvedConfig, resolve_config
    from model_constructor.diagnostics import render
    from model_constructor.errors import ConfigError, ConfigErrors, ParameterError
    from model_constructor.graph.compiler import compile_ir
    from model_constructor.graph.ir import GraphIR
    from model_constructor.instantiate import instantiate_value
    from model_constructor.keys import default_registry
    from model_constructor.load import load_model
    from model_constructor.registry import Registry

__version__ = "0.1.0"

_HOMES = {
    "ConfigError": "model_constructor.errors",
    "ConfigErrors": "model_constructor.errors",
    "GraphIR": "model_constructor.graph.ir",
    "ParameterError": "model_constructor.errors",
    "Registry": "model_constructor.registry",
    "ResolvedConfig": "model_constructor.config.resolve",
    "build_model": "model_constructor.build",
    "compile_ir": "model_constructor.graph.compiler",
    "default_registry": "model_constructor.keys",
    "instantiate_value": "model_constructor.instantiate",
    "load_model": "model_constructor.load",
    "render": "model_constructor.diagnostics",
    "resolve_config": "model_constructor.config.resolve",
}

__all__ = [
    "ConfigError",
    "ConfigErrors",
    "GraphIR",
    "ParameterError",
    "Registry",
    "ResolvedConfig",
    "build_model",
    "compile_ir",
    "default_registry",
    "instantiate_value",
    "load_model",
    "render",
    "resolve_config",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
