"""What this package brings: its keys, as names. Imports no torch; the targets do, when resolved."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import pluggy

from model_constructor.errors import ConfigPath
from model_constructor.registry import Entry, Provider, Registrar
from offline_trainer_torch.tables import (
    METRICS_OF_CLASSES,
    METRICS_OF_NUMBERS,
    OPTIMIZERS,
    SCHEDULE_FREE,
    SCHEDULERS,
)

OT_PLUGIN_API = (1, 0)

hookimpl = pluggy.HookimplMarker("offline_trainer")

_DISTRIBUTION = "offline-trainer-torch"
_TORCH = ("torch",)
_LIBRARIES = ("torch", "torchmetrics", "schedulefree")
_MODULES = {"optim_cls": "torch.optim", "sched_cls": "torch.optim.lr_scheduler"}
_BASES = {"optim_cls": "Optimizer", "sched_cls": "LRScheduler"}


@hookimpl
def ot_register_components(registry: Registrar) -> None:
    registry.add_lazy(
        "engine.torch",
        "offline_trainer_torch.engine:TorchEngine",
        help="Trains torch modules on CPU, CUDA or MPS.",
        tags=("engine", "priority:100"),
        requires=_TORCH,
    )
    registry.add_lazy(
        "data.torch",
        "offline_trainer_torch.data.module:TorchData",
        help="Map-style datasets of torch, with workers.",
        requires=_TORCH,
    )
    registry.add_lazy(
        "loss.torch",
        "offline_trainer_torch.loss:TorchLoss",
        help="A torch loss function on outputs, targets and fields of the batch.",
        requires=_TORCH,
    )
    registry.add_lazy(
        "objective.vae",
        "offline_trainer_torch.objectives.vae:VaeObjective",
        help="A variational autoencoder: reconstruction and KL divergence, its weight warmed up.",
        requires=_TORCH,
    )
    registry.add_lazy(
        "objective.td3_bc",
        "offline_trainer_torch.objectives.td3_bc:Td3BcObjective",
        help="A policy from recorded transitions: TD3 with behaviour cloning.",
        requires=_TORCH,
    )
    registry.add_lazy(
        "optim_factory.torch",
        "offline_trainer_torch.optimizers:OptimizerFactory",
        help="Builds an optimizer of torch.optim over a model.",
        requires=_TORCH,
    )
    registry.add_lazy(
        "sched_factory.torch",
        "offline_trainer_torch.schedulers:SchedulerFactory",
        help="Builds a schedule of torch.optim.lr_scheduler over an optimizer.",
        requires=_TORCH,
    )
    for module, metrics in (
        ("metrics_of_classes", METRICS_OF_CLASSES),
        ("metrics_of_numbers", METRICS_OF_NUMBERS),
    ):
        for name, help in metrics.items():
            registry.add_lazy(
                f"metric.{name}",
                f"offline_trainer_torch.{module}:{name}",
                help=help,
                requires=("torch", "torchmetrics"),
            )
    registry.add_lazy(
        "cb.profiler",
        "offline_trainer_torch.profiler:Profiler",
        help="Profile some steps: where their time goes.",
        requires=_TORCH,
    )
    registry.add_lazy(
        "log.tensorboard",
        "offline_trainer_torch.tensorboard_logger:TensorboardLogger",
        help="Metrics as curves of TensorBoard, in the run directory.",
        requires=("torch", "tensorboard"),
    )
    registry.add_lazy(
        "cmd.export",
        "offline_trainer_torch.export_command:command",
        help="Write a trained model as safetensors, torch-export or onnx.",
        requires=_TORCH,
    )
    registry.add_lazy(
        "cmd.ckpt.import",
        "offline_trainer_torch.import_command:command",
        help="Make a checkpoint of the weights in a torch file.",
        requires=_TORCH,
    )
    registry.add_lazy(
        "cmd.model",
        "offline_trainer_torch.model_command:command",
        help="Show the parameters, shapes and graphs of a config's models.",
        requires=_TORCH,
    )
    for name in SCHEDULE_FREE:
        registry.add_lazy(
            f"optim_cls.{name}",
            f"schedulefree:{name}",
            help=f"schedulefree.{name}: no schedule, its own averages.",
            requires=("torch", "schedulefree"),
        )
    for kind, names in (("optim_cls", OPTIMIZERS), ("sched_cls", SCHEDULERS)):
        for name in names:
            module = _MODULES[kind]
            registry.add_lazy(
                f"{kind}.{name}", f"{module}:{name}", help=f"{module}.{name}", requires=_TORCH
            )


@hookimpl
def ot_resolve_component(key: str, config_path: ConfigPath) -> Entry | None:
    """Classes that a newer torch has and our tables do not."""
    kind, _, name = key.partition(".")
    if kind not in _MODULES or not name or find_spec("torch") is None:
        return None
    from model_constructor.static.signatures import StaticSignatures  # `ot --help` needs it not

    module = _MODULES[kind]
    if StaticSignatures().lacks(module, name):
        return None
    loaded = import_module(module)
    found = getattr(loaded, name, None)
    if not isinstance(found, type) or not issubclass(found, getattr(loaded, _BASES[kind])):
        return None
    provider = Provider(_DISTRIBUTION, _version(_DISTRIBUTION) or "", "torch", "first-party")
    return Entry(key, f"{module}:{name}", provider, f"{module}.{name}", requires=_TORCH)


@hookimpl
def ot_environment(thorough: bool) -> Sequence[tuple[str, str]]:
    """Versions, from metadata but for what only a loaded torch knows; devices, if there is time."""
    rows = [(name, found) for name in _LIBRARIES if (found := _version(name)) is not None]
    if "torch" in sys.modules or (thorough and find_spec("torch") is not None):
        from offline_trainer_torch.devices import cuda_build, device_rows

        rows += [("CUDA build", cuda_build()), *(device_rows() if thorough else ())]
    return rows


@cache
def _version(distribution: str) -> str | None:
    # Imported here: it loads the email package, and every `ot` command loads this module.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
