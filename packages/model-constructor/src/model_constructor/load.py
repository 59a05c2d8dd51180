"""Loads a trained model from a run directory or a checkpoint, without the trainer.

What is read is data: no name in it is imported. Bytes are checked against the manifest.
"""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError, ConfigErrors, close_matches
from model_constructor.graph.compiler import compile_all
from model_constructor.graph.ir import Start
from model_constructor.keys import default_registry
from model_constructor.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

CONFIG = "config.resolved.yaml"
MANIFEST = "MANIFEST.json"
WEIGHTS = "model.safetensors"
STATE = "state.json"


def load_model(
    source: str | Path, *, name: str | None = None, registry: Registry | None = None
) -> nn.Module:
    """A trained model of a run, on the CPU, in evaluation mode.

    Args:
        source: A run directory, of which the last checkpoint is taken, or a checkpoint directory
            in one.
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

    checkpoint = _checkpoint(Path(source))
    config = resolve_config(run_directory(checkpoint) / CONFIG, untrusted=True)
    graphs = compile_all(config.data, config.source_map, settings=config.settings)
    tensors = _read_tensors(checkpoint)
    registry = registry if registry is not None else default_registry()
    models = {}
    for each, graph in graphs.items():
        # Where the weights started no longer matters, and may be gone.
        plain = replace(graph, start=Start())
        try:
            model = build(plain, registry)
        except ConfigError as error:
            raise _with_hint(error) from error
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


def _checkpoint(source: Path) -> Path:
    if (source / MANIFEST).is_file():
        return source
    pointer = source / "checkpoints" / "last"
    if not pointer.is_file():
        raise ConfigError(
            f"{source} is neither a run directory with a checkpoint nor a checkpoint",
            code="OT0450",
            help="a run directory holds config.resolved.yaml and checkpoints/last",
        )
    name = pointer.read_text().strip()
    if "/" in name or not (pointer.parent / name / MANIFEST).is_file():
        raise ConfigError(f"{pointer} names {name!r}, which is no checkpoint", code="OT0450")
    return pointer.parent / name


def run_directory(source: Path) -> Path:
    """The run directory that a path is, or lies in, however deep.

    Raises:
        ConfigError: There is none.
    """
    for folder in (source.resolve(), *source.resolve().parents):
        if (folder / CONFIG).is_file():
            return folder
    raise ConfigError(
        f"no {CONFIG} in {source} or any folder above it",
        code="OT0450",
        help="keep a checkpoint in its run directory, or copy that file beside it",
    )


def _read_tensors(checkpoint: Path) -> dict[str, Tensor]:
    """The saved tensors by name; a tensor that several names share appears under each."""
    from safetensors.torch import load

    try:
        manifest = json.loads((checkpoint / MANIFEST).read_text())
        recorded = {file["path"]: file["sha256"] for file in manifest["files"]}
        tensors = load(_verified(checkpoint / WEIGHTS, recorded))
        state: Any = json.loads(_verified(checkpoint / STATE, recorded))
        aliases: dict[str, str] = state["values"]["model"]["aliases"]
        return {**tensors, **{name: tensors[first] for name, first in aliases.items()}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{checkpoint} cannot be read: {error}", code="OT0452") from error


def _verified(file: Path, recorded: dict[str, str]) -> bytes:
    content = file.read_bytes()
    if sha256(content).hexdigest() != recorded[file.name]:
        raise ConfigError(
            f"{file} is damaged: its bytes are not those that were saved",
            code="OT0452",
            help="take an older checkpoint of the run",
        )
    return content


def _with_hint(error: ConfigError) -> ConfigError:
    """Say of a component that is unknown here where it may come from."""
    errors = []
    for single in error.errors:
        if single.code == "OT0301":
            single = single.located((), None)
            single.help = (
                "a plugin's blocks need offline-trainer-core, which finds them: install both and "
                "give load_model(registry=offline_trainer.registry.build_registry())"
            )
        errors.append(single)
    return errors[0] if len(errors) == 1 else ConfigErrors(errors)
