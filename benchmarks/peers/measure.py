"""One framework in a process of its own: python -m benchmarks.peers.measure with_ignite FOLDER.

``loop`` prints, as JSON, the median seconds of a step: the framework's, and those of the bare loops
that took turns with it. ``process`` trains 40 steps on FOLDER/data.npz, saves, and prints nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from importlib import import_module
from pathlib import Path

ROUNDS = 20
STEPS_OF_PROCESS = 40


def main() -> None:
    name, what, path = sys.argv[1:]
    framework = import_module(f"benchmarks.peers.{name}")
    import torch
    from benchmarks.peers import work

    torch.set_num_threads(1)
    folder = Path(path).resolve()
    os.chdir(folder)
    if what == "process":
        import numpy as np

        with np.load("data.npz") as data:
            rows = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
        framework.train(work.Batches(rows, STEPS_OF_PROCESS), folder, True)
        return
    rows = work.made_up_rows()
    turns = work.Turns(
        {
            "bare": work.bare_loop(rows, fused=None),
            "bare again": work.bare_loop(rows, fused=None),
            "bare, fused": work.bare_loop(rows, fused=True),
        }
    )
    # The first round warms up, and so does not count.
    framework.train(work.Batches(rows, (ROUNDS + 1) * work.CHUNK, turns), folder, False)
    medians = {
        key: statistics.median(seconds[1:]) / work.CHUNK for key, seconds in turns.seconds.items()
    }
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
