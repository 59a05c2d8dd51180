"""Writes the run directory that every later release must be able to go on with.

Run once for a release, never again:  python make_released_run.py released/0.1.0
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from unittest.mock import patch

from small_experiment import SMALL

from offline_trainer.experiment import run_experiment
from offline_trainer.run import hardware


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True)
    os.chdir(folder)
    callbacks = [
        {"_type_": "cb.model_checkpoint", "every_n_steps": 3, "keep_last": 2},
        {"_type_": "cb.ema", "decay": 0.9},
    ]
    sys.argv = ["ot", "run", "config.yaml"]
    # Whose machine it was says nothing about the format.
    with (
        patch.object(platform, "platform", lambda: "any"),
        patch.object(hardware, "_cpu_model", lambda: "any"),
    ):
        run_experiment({**SMALL, "callbacks": callbacks}, ["trainer.max_steps=7"])
    shutil.rmtree(folder / "run/quarantine", ignore_errors=True)
    (folder / "run.lock").unlink()


if __name__ == "__main__":
    main()
