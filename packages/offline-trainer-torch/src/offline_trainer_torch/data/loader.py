"""The batches of one part of the data, made by a DataLoader."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pickle import PicklingError
from typing import Any

import torch
from torch.utils.data import DataLoader

from model_constructor.errors import ParameterError
from offline_trainer.errors import ComponentFailedError
from offline_trainer_torch.data.options import WorkerOptions
from offline_trainer_torch.data.requests import EpochBatches
from offline_trainer_torch.data.samples import FailedBatch, SeededBatches


class Part:
    """The samples of training, validation or test, and the workers that make them.

    Args:
        name: ``train``, ``val`` or ``test``.
        samples: What makes a batch.
        plan: Which batches there are.
        options: How they are made.
    """

    def __init__(
        self, name: str, samples: SeededBatches, plan: EpochBatches, options: WorkerOptions
    ) -> None:
        self._name = name
        self._samples = samples
        self._plan = plan
        self._options = options
        self._loader: DataLoader[Any] | None = None

    def batches(self, epoch: int, start_batch: int) -> EpochLoader:
        """The batches of an epoch from one on; no worker is started yet.

        Raises:
            ParameterError: The epoch has fewer batches than ``start_batch``.
        """
        return EpochLoader(self, epoch, start_batch, self._plan.remaining(start_batch))

    def iterate(self, epoch: int, start_batch: int) -> Iterator[Any]:
        """Make these batches.

        Raises:
            ComponentFailedError: A sample could not be made, or a worker died.
            ParameterError: The dataset cannot be sent to a worker.
        """
        self._plan.stand_at(epoch, start_batch)
        made = None
        try:
            while True:
                try:
                    if made is None:
                        made = self._start()  # a worker may die before it returns
                    batch = next(made)
                except StopIteration:
                    return
                except RuntimeError as error:
                    raise self._workers_failed(error) from error
                if isinstance(batch, FailedBatch):
                    batch.reraise()
                yield batch
        finally:
            del made  # its workers end now, and not when a traceback is forgotten

    def close(self) -> None:
        """End workers that live on between epochs."""
        self._loader = None

    def _start(self) -> Iterator[Any]:
        if self._loader is None:
            self._loader = self._make_loader()
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Got pickle error")  # is told below
                return iter(self._loader)
        except (PicklingError, AttributeError, TypeError) as error:
            method = self._options.method()
            if method == "fork" or not self._options.num_workers:
                raise
            raise ParameterError(
                f"data.{self._name} cannot be sent to workers started by `{method}`: {error}",
                parameter="start_method",
                help="define its classes and functions at the top of a module, open files when "
                "they are first read; or use `start_method: fork`",
            ) from error

    def _make_loader(self) -> DataLoader[Any]:
        return DataLoader(
            self._samples,
            sampler=self._plan,  # one request is one batch
            batch_size=None,
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # otherwise it draws from the training's random stream
            **self._options.arguments(),
        )

    def _workers_failed(self, error: RuntimeError) -> ComponentFailedError:
        return ComponentFailedError(
            f"making batches of data.{self._name} failed: {str(error).strip()}",
            help="if memory or /dev/shm is full: fewer num_workers, a smaller prefetch_factor; "
            "with `num_workers: 0` a crash shows where it happens",
        )


@dataclass(frozen=True, slots=True)
class EpochLoader:
    """The batches of one epoch from one on; iterable as often as wanted.

    Attributes:
        part: Where they come from.
        epoch: Counts from 0.
        start_batch: How many batches of the epoch are left out at the start.
        length: How many batches there are.
    """

    part: Part
    epoch: int
    start_batch: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        return self.part.iterate(self.epoch, self.start_batch)


def _as_it_is(batch: Any) -> Any:
    return batch
