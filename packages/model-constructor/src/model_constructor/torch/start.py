"""Brings a built model to its start: init, then pretrained weights, then freeze."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from model_constructor.errors import ConfigError, ConfigPath, close_matches
from model_constructor.graph.ir import WEIGHTS, Start
from model_constructor.instantiate import component_errors
from model_constructor.source_map import SourceMap
from model_constructor.torch.seeding import own_random_stream


@dataclass(frozen=True, slots=True)
class PreparedStart:
    """A start whose components are built, waiting for a model that has all its sizes.

    Attributes:
        start: What the model's section asks for.
        init: (pattern, function that fills a tensor in place, config path).
        pretrained: What copies weights into the model.
        seed_parts: What the random stream of each parameter is seeded from, beside its name.
    """

    start: Start
    init: tuple[tuple[str, Callable[[Tensor], object], ConfigPath], ...]
    pretrained: Callable[[nn.Module], object] | None
    seed_parts: tuple[object, ...]
    sources: SourceMap

    def apply(self, model: nn.Module) -> None:
        """Bring a model to its start.

        Raises:
            ConfigError: A pattern fits no parameter, or a component refused.
        """
        parameters = dict(model.named_parameters())
        self._initialise(parameters)
        if self.pretrained is not None:
            path = (*self.start.config_path, "pretrained")
            assert self.start.pretrained is not None
            key = str(self.start.pretrained.get("_type_"))
            with component_errors(key, path, self.sources, doing="could not load"):
                self.pretrained(model)
        self._freeze(model, parameters)

    def _initialise(self, parameters: Mapping[str, nn.Parameter]) -> None:
        waiting = dict(parameters)
        for pattern, fill, path in self.init:
            chosen = [name for name in waiting if _chosen(name, waiting[name], pattern)]
            if not any(_chosen(name, parameters[name], pattern) for name in parameters):
                raise self._no_match(pattern, parameters, path)
            for name in chosen:
                parameter = waiting.pop(name)
                with (
                    component_errors(f"init of `{name}`", path, self.sources, doing="failed"),
                    own_random_stream(*self.seed_parts, "init", name),
                    torch.no_grad(),
                ):
                    fill(parameter)

    def _freeze(self, model: nn.Module, parameters: Mapping[str, nn.Parameter]) -> None:
        for index, pattern in enumerate(self.start.freeze):
            chosen = [name for name in parameters if fnmatchcase(name, pattern)]
            if not chosen:
                whole = self.start.freeze == ("*",)
                path = (*self.start.config_path, "freeze", *(() if whole else (index,)))
                raise self._no_match(pattern, parameters, path)
            for name in chosen:
                parameters[name].requires_grad_(False)
        if self.start.freeze:
            model._frozen = frozen_parts(model)  # type: ignore[assignment]
            model.train(model.training)

    def _no_match(
        self, pattern: str, parameters: Mapping[str, nn.Parameter], path: ConfigPath
    ) -> ConfigError:
        return ConfigError(
            f"no parameter of the model is called `{pattern}`",
            code="OT0424",
            config_path=path,
            span=self.sources.key_span(path),
            suggestions=close_matches(pattern, parameters),
            help="* stands for any text; ot model summary lists the parameters",
        )


def begin(model: nn.Module, start: PreparedStart | None) -> None:
    """Bring a model to its start, now or, if sizes are missing, when they are known."""
    tensors = (*model.parameters(), *model.buffers())
    if start is None or not (start.init or start.pretrained or start.start.freeze):
        return
    if any(is_lazy(tensor) for tensor in tensors):
        model._start = start  # type: ignore[assignment]
    else:
        start.apply(model)


def begin_when_sized(model: nn.Module) -> None:
    """Bring a model to the start it has been waiting for, if it has."""
    start = getattr(model, "_start", None)
    if isinstance(start, PreparedStart):
        del model._start
        begin(model, start)


def frozen_parts(model: nn.Module) -> tuple[str, ...]:
    """The largest parts of a model that have parameters, none of which is trained.

    The model itself is the empty name.
    """
    found: list[str] = []
    for name, part in model.named_modules():
        inside = any(not outer or name.startswith(f"{outer}.") for outer in found)
        trained = [parameter.requires_grad for parameter in part.parameters()]
        if trained and not any(trained) and not inside:
            found.append(name)
    return tuple(found)


def train(self: nn.Module, mode: bool = True) -> nn.Module:
    """`nn.Module.train` for a model with frozen parts, which stay in evaluation mode."""
    nn.Module.train(self, mode)
    for name in getattr(self, "_frozen", ()):
        nn.Module.train(self.get_submodule(name), False)
    return self


def _chosen(name: str, parameter: Tensor, pattern: str) -> bool:
    return parameter.ndim >= 2 if pattern == WEIGHTS else fnmatchcase(name, pattern)


def make_start(
    start: Start,
    build: Callable[[Mapping[str, Any], ConfigPath], Any],
    seed_parts: Sequence[object],
    sources: SourceMap,
) -> PreparedStart:
    """A start with its components built, before the model has its sizes.

    Args:
        build: Makes a component from its spec.
    """
    pretrained = None
    if start.pretrained is not None:
        pretrained = build(start.pretrained, (*start.config_path, "pretrained"))
    init = tuple((pattern, build(spec, path), path) for pattern, spec, path in start.init)
    return PreparedStart(start, init, pretrained, tuple(seed_parts), sources)
