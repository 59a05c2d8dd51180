"""What runs of the resume campaign are made with: pairs of options, on both engines."""

from __future__ import annotations

import copy
from typing import Any

from reliability.configs import Config, EngineName, checkpointing, make_config
from reliability.pairwise import Combination, pairwise

_BOTH: dict[str, list[Any]] = {
    "accumulate_grad_batches": [1, 3],
    "dropout": [0.0, 0.2],
    "clip": [{}, {"clip_grad_norm": 0.5}, {"clip_grad_value": 0.05}],
    "save": [
        {"every_n_steps": 1, "keep_last": 2},
        {"every_n_steps": 5},
        {"every_n_epochs": 1},
        {"monitor": "val_loss", "save_top_k": 1},
    ],
    "asynchronous": [False, True],
    "validate": [{}, {"val_every_n_steps": 3}, {"val_every_n_steps": 1}],
    "log_every_n_steps": [1, 3, 50],
    "ema": [None, {"decay": 0.9}, {"decay": 0.9, "every_n_steps": 2}],
    "data": ["data.reluctant", "data.stream", "data.replayed"],
    "end": [{"max_epochs": 3}, {"max_epochs": 9, "max_steps": 10}, {"stopping": 2}],
}
_NUMPY: dict[str, list[Any]] = {
    "optimizer": [{"lr": 0.05}, {"lr": 0.05, "momentum": 0.0}],
    "scheduler": [
        None,
        {"interval": "step"},
        {"interval": "epoch"},
        {"interval": "metric", "monitor": "val_loss"},
    ],
}
_TORCH: dict[str, list[Any]] = {
    "optimizer": [
        {"type": "optim_cls.SGD", "kwargs": {"lr": 0.05, "momentum": 0.9, "nesterov": True}},
        {"type": "optim_cls.AdamW", "kwargs": {"lr": 2e-3}},
        {"type": "optim_cls.Adam", "kwargs": {"lr": 2e-3, "amsgrad": True, "foreach": True}},
        {"type": "optim_cls.RMSprop", "kwargs": {"lr": 1e-3, "centered": True, "momentum": 0.5}},
    ],
    "scheduler": [
        None,
        {"type": "sched_cls.StepLR", "kwargs": {"step_size": 1, "gamma": 0.5}},
        {
            "type": "sched_cls.CosineAnnealingWarmRestarts",
            "kwargs": {"T_0": 3},
            "interval": "step",
        },
        {
            "type": "sched_cls.ReduceLROnPlateau",
            "kwargs": {"patience": 0, "threshold": 1.0},
            "interval": "metric",
            "monitor": "val_loss",
        },
    ],
    "precision": ["fp32", "bf16-mixed"],
    "norm": [None, "BatchNorm1d"],
}
COMBINATIONS: dict[EngineName, list[Combination]] = {
    "numpy": pairwise({**_NUMPY, **_BOTH}),
    "torch": pairwise({**_TORCH, **_BOTH}),
}


def configured(engine: EngineName, options: Combination) -> Config:
    """The engine's config with other options."""
    config = make_config(engine)
    option = copy.deepcopy(dict(options))
    config["optimizer"] = {"_type_": config["optimizer"]["_type_"], **option["optimizer"]}
    scheduler = config.pop("scheduler")
    if option["scheduler"] is not None:
        config["scheduler"] = {"_type_": scheduler["_type_"], **option["scheduler"]}
    layers = config["model"]["sequential"]["layers"]
    if engine == "numpy":
        layers[2]["p"] = option["dropout"]
    else:
        layers[0].update(dropout=option["dropout"], norm=option["norm"])
        config["run"]["precision"] = option["precision"]
    config["data"]["_type_"] = option["data"]
    callbacks = config["callbacks"]
    checkpointing(config).update({"every_n_steps": None, "keep_last": None})
    checkpointing(config).update(option["save"], asynchronous=option["asynchronous"])
    ema = next(each for each in callbacks if each["_type_"] == "cb.ema")
    callbacks.remove(ema)
    if option["ema"] is not None:
        callbacks.insert(0, {"_type_": "cb.ema", **option["ema"]})
    end = option["end"]
    if "stopping" in end:
        callbacks.insert(0, {"_type_": "cb.stopping", "after_validations": end.pop("stopping")})
    trainer = config["trainer"]
    del trainer["clip_grad_norm"]
    for part in (option["clip"], option["validate"], end):
        trainer.update(part)
    for name in ("accumulate_grad_batches", "log_every_n_steps"):
        trainer[name] = option[name]
    return config
