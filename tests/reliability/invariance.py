"""When a run saves, validates and logs, and what it shows, changes nothing of what it trains."""

from __future__ import annotations

from functools import cache
from typing import Any

from run_files import fingerprint

from reliability.configs import OUT_DIR, Config, EngineName, checkpointing, make_config
from reliability.row import Case, Row
from reliability.runs import kept_folder, train

_TRAINED = ("model", "optimizer", "rng", "ema")
_TORCH_EVERY = 8

_SAVE: list[Config] = [
    {"every_n_steps": 1, "keep_last": 2},
    {"every_n_steps": 4},
    {"every_n_epochs": 1, "keep_last": 1},
    {"monitor": "val_loss", "save_top_k": 1},
    {},
]
_VALIDATE: list[Config] = [
    {"val_every_n_steps": 1},
    {"val_every_n_steps": 5},
    {"val_every_n_epochs": 1},
    {"val_every_n_epochs": 3},
]
_LOGGERS: list[list[Config]] = [
    [],
    [{"_type_": "log.stdout", "every_n_steps": 2}],
    [{"_type_": "log.jsonl", "path": "other.jsonl"}, {"_type_": "log.stdout"}],
    [{"_type_": "log.failing"}],
]
# With data.torch: its workers and how far they run ahead.
_DATA: list[dict[str, Any]] = [{}]


@cache
def golden_run(engine: EngineName) -> dict[str, str]:
    """What the engine's own config trains."""
    place = kept_folder()
    train(place, make_config(engine))
    return trained(fingerprint(place / OUT_DIR))


def trained(prints: dict[str, str]) -> dict[str, str]:
    """The files of the final checkpoint that hold what was trained."""
    return {name: prints[f"{name}.safetensors"] for name in _TRAINED}


def run_case(case: Case) -> None:
    engine: EngineName = "torch" if case.number % _TORCH_EVERY == 0 else "numpy"
    choose = case.random.choice
    config = make_config(engine)
    part = checkpointing(config)
    for name in ("every_n_steps", "keep_last"):
        del part[name]
    part.update(choose(_SAVE), asynchronous=choose([True, False]))
    never = [{"val_every_n_epochs": None}] if "monitor" not in part else []
    config["trainer"].update(choose(_VALIDATE + never), progress=choose([True, False]))
    config["trainer"]["log_every_n_steps"] = choose([1, 2, 7, 1000])
    config["loggers"] = choose(_LOGGERS)
    config["data"].update(choose(_DATA))
    train(case.folder, config)
    found = trained(fingerprint(case.folder / OUT_DIR))
    assert found == golden_run(engine), f"trained otherwise with {config}"


ROW = Row(
    name="invariance",
    passes_when="the final model, optimizer, averages and rng are the golden bytes",
    commit_cases=64,
    full_cases=256,
    run_case=run_case,
    in_memory=True,
)
