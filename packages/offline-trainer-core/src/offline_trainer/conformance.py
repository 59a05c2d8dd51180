"""Checks that a built component has the methods its kind needs."""

from __future__ import annotations

from typing import Any

from model_constructor.errors import ConfigError, ConfigPath
from model_constructor.source_map import SourceMap

REQUIRED_METHODS = {
    "engine": ("prepare", "build", "setup", "train_step", "eval_step", "snapshot", "restore"),
    "objective": ("updates", "evaluate", "predict", "weight"),
    "data": ("setup", "train_dataloader"),
    "io": ("split",),
    "loss": ("__call__",),
    "trainer": ("fit",),
    "optim_factory": ("build",),
    "sched_factory": ("build",),
    "cb": (),
    "log": ("log_hparams", "log_metrics", "close"),
    "metric": ("update", "compute", "reset"),
}


def check_methods(
    component: Any, kind: str, key: str, provider: str, path: ConfigPath, sources: SourceMap
) -> None:
    """Check a component against the protocol of its kind.

    Raises:
        ConfigError: A method is missing; the message names it and the component's provider.
    """
    missing = [m for m in REQUIRED_METHODS[kind] if not callable(getattr(component, m, None))]
    if missing:
        names = ", ".join(f"{method}()" for method in missing)
        raise ConfigError(
            f"{key} ({provider}) has no {names}, which a component of kind `{kind}` needs",
            code="OT0324",
            config_path=path,
            span=sources.span(path),
            help="see offline_trainer.protocols for what each kind must have",
        )
