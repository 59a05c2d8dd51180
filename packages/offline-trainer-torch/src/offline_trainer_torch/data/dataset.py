"""What a component of kind ``dataset`` is, and how one that is none is refused."""

from __future__ import annotations

from typing import Any, Protocol

from torch.utils.data import IterableDataset

from model_constructor.errors import ParameterError


class MapDataset(Protocol):
    """Kind ``dataset``: samples by index, such as any map-style dataset of torch.

    A sample is a function of its index and of what the global random streams of Python, numpy and
    torch yield while it is made. Optional: ``__getitems__(indices)``, the samples of a whole batch.
    """

    def __len__(self) -> int:
        """How many samples there are."""

    def __getitem__(self, index: int, /) -> Any:
        """The sample at an index from 0."""


def check_dataset(value: object, name: str) -> None:
    """Refuse what is no map-style dataset.

    Args:
        value: What a config has for a dataset.
        name: The parameter that it was given for.

    Raises:
        ParameterError: It cannot be read by index.

    >>> check_dataset(range(8), "train")
    """
    if isinstance(value, IterableDataset):
        raise ParameterError(
            f"{name} is an iterable dataset ({type(value).__name__}); expected one that is read by "
            "index",
            parameter=name,
            help="give it __len__ and __getitem__, or write a datamodule with state_dict() around "
            "the stream",
        )
    if isinstance(value, (str, dict, list)) or value is None:
        raise ParameterError(
            f"{name} must be a dataset, got {value!r}",
            parameter=name,
            help="name a component of kind `dataset`: {_type_: dataset.…}",
        )
    missing = [method for method in ("__len__", "__getitem__") if not hasattr(value, method)]
    if missing:
        raise ParameterError(
            f"{name} must be a dataset; {type(value).__name__} has no {' and no '.join(missing)}",
            parameter=name,
            help="a dataset has __len__() and __getitem__(index)",
        )


def dataset_length(dataset: MapDataset, name: str) -> int:
    """How many samples a dataset has, which is at least one.

    Raises:
        ParameterError: It has none.
    """
    length = len(dataset)
    if not length:
        raise ParameterError(f"{name} has no samples: its length is 0", parameter=name)
    return length
