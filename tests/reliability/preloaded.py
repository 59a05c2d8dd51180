"""Imported by the server that children are forked from: all that a run would import first.

What is installed is looked through once here, and not by each of the children; nor does a child's
collector look at what was imported.
"""

import gc
import importlib

for name in (
    "model_constructor.torch.blocks",
    "model_constructor.torch.builder",
    "model_constructor.torch.start",
    "offline_trainer.callbacks.model_checkpoint",
    "offline_trainer.cli.run",
    "offline_trainer.data.random_regression",
    "offline_trainer.data.table",
    "offline_trainer.experiment",
    "offline_trainer.io_mapping",
    "offline_trainer.plugin",
    "offline_trainer.testing.numpy_components",
    "offline_trainer.testing.numpy_engine",
    "offline_trainer.trainer",
    "offline_trainer_torch.data.module",
    "offline_trainer_torch.engine",
    "offline_trainer_torch.loss",
    "offline_trainer_torch.metrics_of_classes",
    "offline_trainer_torch.optimizers",
    "offline_trainer_torch.plugin",
    "offline_trainer_torch.schedulers",
    "reliability.child",
    "reliability.components",
    "reliability.digits",
    "torch._dynamo",
):
    importlib.import_module(name)

from offline_trainer import records  # noqa: E402 - no heavier than what is imported above
from offline_trainer.plugins.loader import load_plugins  # noqa: E402

records.installed_versions(load_plugins())

gc.collect()
gc.freeze()
