"""The Trainer of Hugging Face transformers, resumed with ``train(resume_from_checkpoint=True)``.

``True`` is an error where there is no checkpoint yet, so it is given where ``get_last_checkpoint``
finds one, as the example scripts of transformers do.
"""

from __future__ import annotations

from pathlib import Path

import torch
from benchmarks.reliability.workload import (
    BATCH,
    EPOCHS,
    SAVE_EVERY_STEPS,
    SEED,
    Ended,
    OnStep,
    after_torch_steps,
    digest_of,
    network,
    optimizer_and_schedule,
    tensors,
)
from torch import nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

PACKAGES: tuple[str, ...] = ("transformers", "accelerate", "torch", "safetensors")


class Rows(Dataset[dict[str, torch.Tensor]]):
    """The workload's samples as dicts, which the Trainer's collator takes."""

    def __init__(self) -> None:
        self.x, self.y = tensors()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"x": self.x[index], "y": self.y[index]}


class Regression(nn.Module):
    """The workload's model; the Trainer reads the loss from what it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.loss = nn.MSELoss()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": self.loss(self.network(x), y)}


def train(out_dir: Path, resume: bool, on_step: OnStep) -> Ended:
    """Train to the end."""
    after_torch_steps(on_step)
    set_seed(SEED)
    model = Regression()
    arguments = TrainingArguments(
        output_dir=str(out_dir),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        save_strategy="steps",
        save_steps=SAVE_EVERY_STEPS,
        save_total_limit=3,
        seed=SEED,
        use_cpu=True,
        max_grad_norm=0.0,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(
        model, arguments, train_dataset=Rows(), optimizers=optimizer_and_schedule(model)
    )
    there_is_one = out_dir.is_dir() and get_last_checkpoint(str(out_dir)) is not None
    trainer.train(resume_from_checkpoint=resume and there_is_one)
    return Ended(trainer.state.global_step, digest_of(model))


def checkpoints(out_dir: Path) -> Path:
    """The folder below which checkpoints are written."""
    return out_dir


def newest_checkpoint(out_dir: Path) -> list[Path]:
    """The files that resuming would read first."""
    newest = Path(get_last_checkpoint(str(out_dir)))
    return sorted(path for path in newest.iterdir() if path.is_file())
