"""Loads a trained model from a run directory or a checkpoint, without the trainer.

What is read is data: no name in it is imported.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_constructor.aliases import with_present_names
from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError, ConfigErrors, close_matches
from model_constructor.graph.compiler import compile_all
from model_constructor.graph.ir import Start
from model_constructor.keys import default_registry
from model_constructor.registry import Registry
from model_constructor.saved_weights import read_weights

if TYPE_CHECKING:
    from torch import nn

CONFIG = "config.resolved.yaml"


def load_model(
    source: str | Path, *, name: str | None = None, registry: Registry | None = None
) -> nn.Module:
    """A trained model of a run, on the CPU, in evaluation mode.

    Args:
        source: A run directory, of which the newest good checkpoint is taken, or a checkpoint
            directory in one.
        name: Which model, where the run has several.
        registry: Where components are looked up; by default this package's own. With a plugin's
            blocks, give `offline_trainer.registry.build_registry()`.

    Raises:
        ConfigError: There is no run or no such model, its bytes are damaged, or a component of it
            is not installed.
    """
    models = load_models(source, registry=registry)
    if name is None and len(models) == 1:
        return next(iter(models.values()))
    if name not in models:
        asked = f"no model `{name}`" if name is not None else "several models"
        raise ConfigError(
            f"{source} has {asked}: {', '.join(models)}",
            code="OT0451",
            suggestions=close_matches(name, models) if name is not None else (),
            help="give name=… to load_model, or take all with load_models",
        )
    return models[name]


def load_models(source: str | Path, *, registry: Registry | None = None) -> dict[str, nn.Module]:
    """All trained models of a run by name; as `load_model`."""
    from model_constructor.torch.builder import build

    run = run_directory(Path(source))
    registry = registry if registry is not None else default_registry()
    config = resolve_config(run / CONFIG, untrusted=True)
    # A run's record keeps the names of its day; nobody is told to rewrite it.
    config = with_present_names(config, registry, warn=lambda text: None)
    graphs = compile_all(config.data, config.source_map, settings=config.settings)
    checkpoint, tensors = read_weights(Path(source), run, config.data)
    models = {}
    for each, graph in graphs.items():
        # Where the weights started no longer matters, and may be gone.
        plain = replace(graph, start=Start())
        try:
            model = build(plain, registry)
        except ConfigError as error:
            raise _with_hint(error, config.data.get("imports")) from error
        own = {
            n.removeprefix(f"{each}."): t for n, t in tensors.items() if n.startswith(f"{each}.")
        }
        try:
            model.load_state_dict(own)
        except RuntimeError as error:
            raise ConfigError(
                f"{checkpoint.name} does not fit the model `{each}`: {error}", code="OT0452"
            ) from error
        models[each] = model.eval()
    return models


def run_directory(source: Path) -> Path:
    """The run directory that a path is, or lies in, however deep.

    Raises:
        ConfigError: There is none.
    """
    for folder in (source.resolve(), *source.resolve().parents):
        if (folder / CONFIG).is_file():
            return folder
    raise ConfigError(
        f"{source} is neither a run directory nor in one: it has no {CONFIG}",
        code="OT0450",
        help="keep a checkpoint in its run directory, or copy that file beside it",
    )


def _with_hint(error: ConfigError, imports: Any) -> ConfigError:
    """Say of a component that is unknown here where it may come from."""
    where = (
        "a plugin's blocks need offline-trainer-core, which finds them: install both and give "
        "load_model(registry=offline_trainer.registry.build_registry())"
    )
    if imports:
        where += (
            f"; the run's own imports are left out: call register(registry) of {imports} yourself "
            "if you trust them"
        )
    errors = []
    for single in error.errors:
        if single.code == "OT0301":
            single = single.located((), None)
            single.help = where
        errors.append(single)
    return errors[0] if len(errors) == 1 else ConfigErrors(errors)
