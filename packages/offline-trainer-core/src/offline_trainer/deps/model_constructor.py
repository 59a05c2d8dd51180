"""What plugins use of model-constructor, so that they depend on core alone."""

from __future__ import annotations

from model_constructor.build import build_model
from model_constructor.config.resolve import ResolvedConfig, resolve_config
from model_constructor.errors import ConfigError, ConfigErrors, ParameterError
from model_constructor.graph.compiler import compile_ir
from model_constructor.instantiate import instantiate_value
from model_constructor.registry import Registry

__all__ = [
    "ConfigError",
    "ConfigErrors",
    "ParameterError",
    "Registry",
    "ResolvedConfig",
    "build_model",
    "compile_ir",
    "instantiate_value",
    "resolve_config",
]
