"""How the batches of `data.torch` are made, in terms of a DataLoader."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from typing import Any

import torch

from model_constructor.errors import ParameterError
from offline_trainer.data.module import check_at_least
from offline_trainer_torch.data.workers import start_worker, worker_context


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How batches are made; none of it changes them.

    Attributes:
        num_workers: Processes besides the training process; 0 for none.
        prefetch_factor: Batches that each worker makes ahead; torch's own number if None.
        persistent_workers: Whether workers live on between epochs.
        pin_memory: Whether batches are copied to page-locked memory, where there is a CUDA device.
        start_method: How workers are started; the platform's own way if None.

    Raises:
        ParameterError: A number is too small, or there is no such start method here.
    """

    num_workers: int = 0
    prefetch_factor: int | None = None
    persistent_workers: bool = False
    pin_memory: bool = False
    start_method: str | None = None

    def __post_init__(self) -> None:
        check_at_least(0, num_workers=self.num_workers)
        if self.prefetch_factor is not None:
            check_at_least(1, prefetch_factor=self.prefetch_factor)
        possible = multiprocessing.get_all_start_methods()
        if self.start_method is not None and self.start_method not in possible:
            raise ParameterError(
                f"start_method must be one of {', '.join(possible)} here, "
                f"got {self.start_method!r}",
                parameter="start_method",
            )

    def method(self) -> str:
        """The start method in force."""
        return self.start_method or multiprocessing.get_start_method()

    def arguments(self) -> dict[str, Any]:
        """Those of a DataLoader; it takes none about workers where there are none.

        >>> WorkerOptions(prefetch_factor=4).arguments()
        {'pin_memory': False}
        """
        pin_memory = self.pin_memory and torch.cuda.is_available()
        if not self.num_workers:
            return {"pin_memory": pin_memory}
        return {
            "pin_memory": pin_memory,
            "num_workers": self.num_workers,
            "prefetch_factor": self.prefetch_factor,
            "persistent_workers": self.persistent_workers,
            "multiprocessing_context": worker_context(self.method()),
            "worker_init_fn": start_worker,
        }
