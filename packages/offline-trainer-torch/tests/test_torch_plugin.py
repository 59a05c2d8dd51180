"""The plugin module: tables equal to the installed torch, and nothing heavy imported."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys

import torch

from model_constructor.registry import Registry
from offline_trainer.engine import Engine
from offline_trainer.plugins.missing import FIRST_PARTY_KEYS, FIRST_PARTY_KINDS
from offline_trainer.protocols import DataModule, Loss, Metric, OptimizerFactory, SchedulerFactory
from offline_trainer.registry import build_registry
from offline_trainer_torch import tables
from offline_trainer_torch.plugin import ot_environment, ot_resolve_component

REGENERATE = "the installed torch has other classes; put these into tables.py"


def concrete(module: object, base: type) -> tuple[str, ...]:
    return tuple(
        sorted(
            name
            for name, item in vars(module).items()
            if inspect.isclass(item)
            and issubclass(item, base)
            and item is not base
            and not name.startswith("_")
        )
    )


def test_the_tables_equal_the_installed_torch() -> None:
    schedulers = concrete(torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler)
    optimizers = concrete(torch.optim, torch.optim.Optimizer)
    assert optimizers == tables.OPTIMIZERS, REGENERATE
    assert schedulers == tables.SCHEDULERS, REGENERATE


EXTRAS = {"schedulefree", "tensorboard"}
"""What this package does not need to be installed for."""


def test_every_key_resolves_and_has_help(registry: Registry) -> None:
    for entry in registry.entries():
        if not set(entry.missing_requirements()) & EXTRAS:
            assert entry.target is not None
        assert entry.help
        assert "\n" not in entry.help


def test_components_have_the_methods_of_their_kinds(registry: Registry) -> None:
    made = registry.get_module("metric.accuracy").target()
    assert isinstance(made, Metric)
    for key, protocol in {
        "data.torch": DataModule,
        "engine.torch": Engine,
        "optim_factory.torch": OptimizerFactory,
        "sched_factory.torch": SchedulerFactory,
        "loss.torch": Loss,
    }.items():
        target = registry.get_module(key).target
        for name in vars(protocol):
            if callable(getattr(protocol, name)) and (
                not name.startswith("_") or name == "__call__"
            ):
                assert callable(getattr(target, name)), f"{key}.{name}"
    assert "priority:100" in registry.get_module("engine.torch").tags


def test_registering_imports_nothing_heavy() -> None:
    program = """
import json, sys
from model_constructor.registry import Registry
from offline_trainer_torch import plugin
registry = Registry()
plugin.ot_register_components(registry)
rows = plugin.ot_environment(thorough=False)
plugin.ot_resolve_component("nn.Linear", ())
loaded = {"torch", "torchmetrics", "numpy", "yaml"} & set(sys.modules)
print(json.dumps([sorted(loaded), len(registry.list_modules()), [name for name, _ in rows]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded, count, rows = json.loads(done.stdout)
    assert loaded == []
    known = [
        *(tables.OPTIMIZERS, tables.SCHEDULE_FREE, tables.SCHEDULERS),
        *(tables.METRICS_OF_CLASSES, tables.METRICS_OF_NUMBERS),
    ]
    assert count == 12 + sum(map(len, known))
    assert rows[:2] == ["torch", "torchmetrics"]


def test_a_class_of_a_newer_torch_is_found() -> None:
    class Newer(torch.optim.SGD):
        pass

    torch.optim.Newer = Newer  # type: ignore[attr-defined]
    try:
        entry = ot_resolve_component("optim_cls.Newer", ())
        assert entry is not None
        assert entry.target is Newer
        assert entry.provider.distribution == "offline-trainer-torch"
    finally:
        del torch.optim.Newer  # type: ignore[attr-defined]


def test_names_that_are_no_such_class_are_left_to_others() -> None:
    for key in ("optim_cls.Adamm", "optim_cls.lr_scheduler", "sched_cls.Counter", "nn.Linear"):
        assert ot_resolve_component(key, ()) is None, key


def test_the_environment_says_what_a_loaded_torch_knows() -> None:
    rows = dict(ot_environment(thorough=False))
    assert rows["CUDA build"] == (torch.version.cuda or "none")
    assert rows["torch"].split("+")[0] == torch.__version__.split("+")[0]


def test_a_thorough_look_at_the_environment_names_the_devices() -> None:
    program = """
import json
from offline_trainer_torch import plugin
print(json.dumps(plugin.ot_environment(thorough=True)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    rows = json.loads(done.stdout)
    assert "torch threads" in dict(rows)
    devices = [value for name, value in rows if name == "device"]
    assert devices[-1].startswith("cpu")
    assert ("no GPU found" in devices[-1]) == (len(devices) == 1)


def test_cores_table_of_what_this_package_brings_matches_what_it_registers() -> None:
    ours, others = set(), set()
    for entry in build_registry().entries():
        if entry.provider.distribution == "offline-trainer-torch":
            ours.add(entry)
        elif entry.provider.origin == "core":
            others.add(entry)
    kinds = {entry.kind for entry in ours} - {entry.kind for entry in others}
    assert set(FIRST_PARTY_KINDS) == kinds
    assert set(FIRST_PARTY_KEYS) == {entry.key for entry in ours if entry.kind not in kinds}
