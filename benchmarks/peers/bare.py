"""A torch script as one writes it without a framework: 40 steps, the loss logged, weights saved.

python bare.py DATA.npz: what `benchmarks/process.py` compares ``ot run`` with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

STEPS = 40
BATCH = 32


def main() -> None:
    torch.manual_seed(0)
    with np.load(sys.argv[1]) as data:
        inputs, targets = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss_function = nn.MSELoss()
    order = torch.randperm(len(inputs))
    with Path("metrics.jsonl").open("w") as log:
        for step in range(1, STEPS + 1):
            rows = order[BATCH * (step - 1) : BATCH * step]
            loss = loss_function(model(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step == STEPS:
                log.write(json.dumps({"step": step, "loss": loss.item()}) + "\n")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "checkpoint.pt")


if __name__ == "__main__":
    main()
