"""`data.torch`: map-style datasets, batched and shuffled by torch's DataLoader."""

from __future__ import annotations

from typing import Literal

from torch.utils.data import default_collate

from model_constructor.errors import ParameterError
from offline_trainer.data.module import check_at_least
from offline_trainer_torch.data.dataset import MapDataset, check_dataset, dataset_length
from offline_trainer_torch.data.loader import EpochLoader, Part
from offline_trainer_torch.data.options import WorkerOptions
from offline_trainer_torch.data.requests import EpochBatches
from offline_trainer_torch.data.samples import Collate, SeededBatches


class TorchData:
    """Batches of any map-style datasets, the same for any number of workers and after a resume.

    The order of an epoch is a function of (seed, epoch), and what is random in a sample one of
    (seed, epoch, index). Validation and test have all samples, in the order of their datasets.

    Args:
        train: The dataset to train on, such as ``{_type_: dataset.my_set}``.
        val: The dataset to validate on.
        test: The dataset to test on.
        batch_size: Samples of a batch.
        shuffle: Whether training visits the samples in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer samples.
        num_workers: Processes that make batches; 0 for the training process itself.
        prefetch_factor: Batches that each worker makes ahead; 2 if None.
        persistent_workers: Whether workers live on between epochs.
        pin_memory: Whether batches are put into page-locked memory, for a faster way to the GPU.
        start_method: ``fork``, ``spawn`` or ``forkserver``; the platform's own way if None.
        seed: Seed of order and augmentation; the run's seed if None.
        collate: A component that makes a batch of a list of samples; torch's way if None.

    >>> data = TorchData(train=range(10), batch_size=4, shuffle=False)
    >>> data.setup("fit")
    >>> data.set_position(epoch=0, batch=1)
    >>> list(data.train_dataloader())
    [tensor([4, 5, 6, 7]), tensor([8, 9])]
    """

    def __init__(
        self,
        train: MapDataset,
        val: MapDataset | None = None,
        test: MapDataset | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        drop_last: bool = False,
        num_workers: int = 0,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory: bool = False,
        start_method: Literal["fork", "spawn", "forkserver"] | None = None,
        seed: int | None = None,
        collate: Collate | None = None,
    ) -> None:
        others = {"val": val, "test": test}
        self._datasets = {"train": train}
        self._datasets |= {name: given for name, given in others.items() if given is not None}
        for name, dataset in self._datasets.items():
            check_dataset(dataset, name)
        check_at_least(1, batch_size=batch_size)
        if collate is not None and not callable(collate):
            raise ParameterError(
                f"collate must be a component that makes a batch of a list, got {collate!r}",
                parameter="collate",
            )
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._drop_last = drop_last
        self._options = WorkerOptions(
            num_workers, prefetch_factor, persistent_workers, pin_memory, start_method
        )
        self._given_seed = seed
        self._collate: Collate = default_collate if collate is None else collate
        self._run_seed = 0
        self._position = (0, 0)
        self._parts: dict[str, Part] = {}

    @property
    def seed(self) -> int:
        """The seed in force: the one given to the constructor, otherwise the run's."""
        return self._run_seed if self._given_seed is None else self._given_seed

    def set_seed(self, seed: int) -> None:
        """Take the run's seed; called before `setup`."""
        self._run_seed = seed

    def setup(self, stage: str) -> None:
        """Look at the datasets' lengths; a second call has no effect.

        Raises:
            ParameterError: A dataset is empty, or ``drop_last`` leaves nothing to train on.
        """
        if not self._parts:
            self._parts = {name: self._part(name) for name in self._datasets}

    def set_position(self, epoch: int, batch: int) -> None:
        """Let the next `train_dataloader` yield this epoch from this batch on."""
        self._position = (epoch, batch)

    def train_dataloader(self) -> EpochLoader:
        """The training batches of one epoch; the next call returns those of the next epoch."""
        batches = self._parts["train"].batches(*self._position)
        self.set_position(self._position[0] + 1, 0)
        return batches

    def val_dataloader(self) -> EpochLoader | None:
        """All validation batches, in order and the same each time; None if there are none."""
        return self._parts["val"].batches(0, 0) if "val" in self._parts else None

    def test_dataloader(self) -> EpochLoader | None:
        """All test batches, in order and the same each time; None if there are none."""
        return self._parts["test"].batches(0, 0) if "test" in self._parts else None

    def close(self) -> None:
        """End workers that live on between epochs; they start again where they are needed."""
        for part in self._parts.values():
            part.close()

    def _part(self, name: str) -> Part:
        dataset, training = self._datasets[name], name == "train"
        length = dataset_length(dataset, name)
        if training and self._drop_last and length < self._batch_size:
            raise ParameterError(
                f"drop_last with batch_size {self._batch_size} leaves no batch of the "
                f"{length} training samples",
                parameter="batch_size",
            )
        plan = EpochBatches(
            length,
            self._batch_size,
            shuffle_seed=self.seed if training and self._shuffle else None,
            drop_last=training and self._drop_last,
        )
        samples = SeededBatches(dataset, name, self.seed, self._collate)
        return Part(name, samples, plan, self._options)
