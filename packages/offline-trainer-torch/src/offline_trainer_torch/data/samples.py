"""The making of batches, in a worker process or in the training process, with the same result."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch.utils.data import Dataset, default_collate, get_worker_info

from model_constructor.foreign import error_text, raised_at
from model_constructor.listing import first_few
from offline_trainer.errors import ComponentFailedError
from offline_trainer_torch.data.dataset import MapDataset
from offline_trainer_torch.data.requests import Request
from offline_trainer_torch.data.seeding import seed_sample
from offline_trainer_torch.random_streams import isolated_streams

Collate = Callable[[list[Any]], Any]

_CPU = torch.device("cpu")
_MAX_INDICES = 8


@dataclass(frozen=True, slots=True)
class FailedBatch:
    """What comes instead of a batch that could not be made, also out of a worker."""

    message: str
    help: str
    cause: BaseException

    def reraise(self) -> NoReturn:
        """Raise it where the batch was wanted."""
        raise ComponentFailedError(self.message, help=self.help) from self.cause


class SeededBatches(Dataset[Any]):
    """Batches by `Request`: what a DataLoader sees as its dataset.

    Each sample is made with random streams that belong to it alone, so that neither the process
    that makes it nor what was made before can change it. A ``__getitems__`` of the dataset gets
    the streams of the batch's first sample. In the training process its own streams stand
    afterwards where they stood.

    Args:
        dataset: Where the samples come from.
        part: ``train``, ``val`` or ``test``.
        seed: Seed of the samples' random streams.
        collate: From a list of samples to a batch.

    >>> squares = [index * index for index in range(10)]
    >>> SeededBatches(squares, "train", seed=0)[Request(epoch=0, indices=[3, 1])]
    tensor([9, 1])
    """

    def __init__(
        self, dataset: MapDataset, part: str, seed: int, collate: Collate = default_collate
    ) -> None:
        self._dataset = dataset
        self._part = part
        self._seed = seed
        self._collate = collate
        self._fetch_all = getattr(dataset, "__getitems__", None)

    def __getitem__(self, request: Request) -> Any:
        in_worker = get_worker_info() is not None
        with nullcontext() if in_worker else isolated_streams(_CPU):
            return self._batch(request)

    def _batch(self, request: Request) -> Any:
        wanted = request.indices
        try:
            if self._fetch_all is not None:
                self._seed_for(request, wanted[0])
                samples = self._fetch_all(request.indices)
            else:
                samples = []
                for index in request.indices:
                    wanted = [index]
                    self._seed_for(request, index)
                    samples.append(self._dataset[index])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code
            help = "the code of the dataset raised this"
            return self._failed(request, wanted, "could not be made", error, help)
        try:
            return self._collate(samples)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code
            help = "samples that differ in shape or kind need a component for `collate`"
            return self._failed(request, request.indices, "make no batch", error, help)

    def _seed_for(self, request: Request, index: int) -> None:
        seed_sample(self._seed, self._part, request.epoch, index)

    def _failed(
        self, request: Request, indices: list[int], what: str, error: BaseException, help: str
    ) -> FailedBatch:
        place = f" ({raised_at(error)})" if not isinstance(error, SystemExit) else ""
        when = f" in epoch {request.epoch}" if self._part == "train" else ""
        said = f"{error_text(error)}{place}"
        message = f"{_named(indices)} of data.{self._part} {what}{when}: {said}"
        if get_worker_info() is not None:
            # The error itself may not survive the way to the training process.
            error = RuntimeError("in a worker:\n" + "".join(traceback.format_exception(error)))
        return FailedBatch(message, help, error)


def _named(indices: list[int]) -> str:
    if len(indices) == 1:
        return f"sample {indices[0]}"
    return f"samples {first_few(indices, _MAX_INDICES)}"
