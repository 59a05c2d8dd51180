"""What the campaigns of real processes run: variants of the configs, golden runs, commands."""

from __future__ import annotations

import copy
import json
import time
from functools import cache
from pathlib import Path
from typing import Literal

from reliability.child import COUNTED, Faults
from reliability.configs import OUT_DIR, TWO_WORKERS, Config, EngineName, checkpointing, make_config
from reliability.processes import folder
from reliability.runs import Golden, check_finished, kept_folder

Variant = Literal["epochs", "steps", "early stop", "fork", "workers"]
# torch takes seconds to start, so its variant is the one that only it can have.
VARIANTS: dict[EngineName, tuple[Variant, ...]] = {
    "numpy": ("epochs", "steps", "early stop", "fork"),
    "torch": ("workers",),
}

CONFIG = "config.yaml"
_ORIGIN = "origin"


def campaign_config(
    engine: EngineName, variant: Variant = "epochs", *, asynchronous: bool = False
) -> Config:
    """What is trained; saving in the background must not change the bytes.

    Args:
        variant: How it ends: after its epochs; in the middle of one; when a callback says so. Or
            that it starts from another run's checkpoint. Or that two workers make its batches.
    """
    config = make_config(engine)
    checkpointing(config)["asynchronous"] = asynchronous
    if variant == "workers":
        config["data"] = copy.deepcopy(TWO_WORKERS)
    if variant == "steps":
        config["trainer"]["max_steps"] = 14
    if variant == "early stop":
        config["callbacks"].append({"_type_": "cb.stopping", "after_validations": 3})
    return config


def write_config(place: Path, config: Config) -> None:
    """Leave a config in a folder, where the commands look for it."""
    (place / CONFIG).write_text(json.dumps(config))


def command(place: Path, engine: EngineName, variant: Variant = "epochs") -> tuple[str, ...]:
    """What starts the run in a folder, and goes on with it as soon as it is there."""
    forks = variant == "fork" and not (place / OUT_DIR / "run.json").exists()
    return ("run", CONFIG, "--resume", str(origin(engine)) if forks else "auto")


@cache
def origin(engine: EngineName) -> Path:
    """A run of one epoch, which others go on from in folders of their own."""
    place = kept_folder()
    write_config(place, campaign_config(engine))
    with folder(place) as here:
        here.start("run", CONFIG, "trainer.max_epochs=1", f"run.out_dir={_ORIGIN}").expect(0)
    return place / _ORIGIN


@cache
def golden_run(engine: EngineName, variant: Variant = "epochs") -> Golden:
    """The run that nothing interrupts, in a process like those that are killed."""
    place = kept_folder()
    write_config(place, campaign_config(engine, variant))
    with folder(place) as here:
        here.start("--version").expect(0)  # so that the server is there when the clock starts
        started = time.monotonic()
        here.start(*command(place, engine, variant)).expect(0)
        seconds = time.monotonic() - started
    golden = Golden.of(place, seconds)
    check_finished(place, golden)
    return golden


@cache
def operations(engine: EngineName) -> int:
    """How many operations on its file system the uninterrupted run makes."""
    place = kept_folder()
    write_config(place, campaign_config(engine))
    with folder(place) as here:
        here.start("run", CONFIG, faults=Faults(count=True)).expect(0)
    return int((place / COUNTED).read_text())
