"""Core's own plugin: its keys reach the registry by the road every plugin takes.

It also registers model-constructor's keys, which has no entry point of its own.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence

from model_constructor.keys import register_components as register_model_components
from model_constructor.keys import resolve_nn
from model_constructor.registry import Entry, Registrar
from offline_trainer.plugins.hooks import hookimpl

OT_PLUGIN_API = (1, 0)

_COMPONENTS = (
    ("trainer.default", "offline_trainer.trainer:DefaultTrainer", "The training loop."),
    (
        "objective.supervised",
        "offline_trainer.objective:SupervisedObjective",
        "io → model → loss, all optimizers on one loss.",
    ),
    (
        "io.mapping",
        "offline_trainer.io_mapping:MappingIo",
        "Model inputs and targets by their paths in the batch.",
    ),
    (
        "loss.sum",
        "offline_trainer.loss_sum:LossSum",
        "The weighted sum of several losses, each logged by its name.",
    ),
    (
        "data.random_regression",
        "offline_trainer.data.random_regression:RandomRegression",
        "Synthetic linear regression with noise.",
    ),
    (
        "data.table",
        "offline_trainer.data.table:Table",
        "A CSV, Parquet, Feather or npz table: columns to features and target, split, transformed.",
    ),
    (
        "data.arrays",
        "offline_trainer.data.arrays:Arrays",
        "Arrays of .npz, .npy or .safetensors files; each is a field of the batch.",
    ),
    (
        "data.images",
        "offline_trainer.data.images.module:Images",
        "Images and their classes: a folder for each class, a table of paths, or idx files.",
    ),
    (
        "transform.resize",
        "offline_trainer.data.transforms.resize:Resize",
        "Images to a size.",
    ),
    (
        "transform.crop",
        "offline_trainer.data.transforms.crop:Crop",
        "A part of an image: at random in training, the middle otherwise.",
    ),
    (
        "transform.flip",
        "offline_trainer.data.transforms.flip:Flip",
        "Images mirrored left to right, at random in training.",
    ),
    (
        "transform.colour_jitter",
        "offline_trainer.data.transforms.colour_jitter:ColourJitter",
        "Brightness, contrast and saturation of images, changed at random in training.",
    ),
    (
        "transform.normalise",
        "offline_trainer.data.transforms.normalise:Normalise",
        "Pixels to mean 0 and deviation 1 in each channel.",
    ),
    (
        "data.text",
        "offline_trainer.data.text:Text",
        "Text files as blocks of bytes or characters, each with the symbols that follow.",
    ),
    (
        "data.huggingface",
        "offline_trainer.data.huggingface:HuggingFace",
        "A folder that save_to_disk of Hugging Face's datasets has written.",
    ),
    (
        "transform.standardise",
        "offline_trainer.data.transforms.standardise:Standardise",
        "Numbers to mean 0 and variance 1.",
    ),
    (
        "transform.min_max",
        "offline_trainer.data.transforms.min_max:MinMax",
        "Numbers to a range.",
    ),
    (
        "transform.quantile",
        "offline_trainer.data.transforms.quantile:Quantile",
        "Numbers to their ranks.",
    ),
    (
        "transform.one_hot",
        "offline_trainer.data.transforms.one_hot:OneHot",
        "Categories to a column of zeros and ones each.",
    ),
    (
        "transform.ordinal",
        "offline_trainer.data.transforms.ordinal:Ordinal",
        "Categories to numbers from 0.",
    ),
    (
        "transform.impute",
        "offline_trainer.data.transforms.impute:Impute",
        "A value in place of missing ones.",
    ),
    (
        "cb.model_checkpoint",
        "offline_trainer.callbacks.model_checkpoint:ModelCheckpoint",
        "Save checkpoints every so many steps or epochs, and at the end.",
    ),
    (
        "cb.ema",
        "offline_trainer.callbacks.ema:Ema",
        "Average the weights; validation, test and export use the average.",
    ),
    (
        "cb.early_stopping",
        "offline_trainer.callbacks.early_stopping:EarlyStopping",
        "Stop when a metric has not improved for a while.",
    ),
    (
        "cb.gradient_stats",
        "offline_trainer.callbacks.gradient_stats:GradientStats",
        "Log how large the gradient is, part by part of the models.",
    ),
    (
        "cb.lr_monitor",
        "offline_trainer.callbacks.lr_monitor:LrMonitor",
        "Log the learning rate of every parameter group.",
    ),
    ("log.stdout", "offline_trainer.loggers.stdout:StdoutLogger", "Metrics as printed lines."),
    (
        "log.jsonl",
        "offline_trainer.loggers.jsonl:JsonlLogger",
        "Metrics as JSON lines; the run's metrics.jsonl is always written by one.",
    ),
    (
        "log.csv",
        "offline_trainer.loggers.csv_table:CsvLogger",
        "Metrics as one CSV table in the run directory.",
    ),
)


@hookimpl
def ot_register_components(registry: Registrar) -> None:
    register_model_components(registry)
    for key, loads, help in _COMPONENTS:
        registry.add_lazy(key, loads, help=help)


@hookimpl
def ot_resolve_component(key: str) -> Entry | None:
    return resolve_nn(key)


@hookimpl
def ot_environment(thorough: bool) -> Sequence[tuple[str, str]]:
    rows = [("python", platform.python_version())]
    return [*rows, ("platform", platform.platform())] if thorough else rows
