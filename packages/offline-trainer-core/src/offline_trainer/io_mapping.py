"""`io.mapping`: which fields of a batch are the model's inputs, and which the targets, by path.

Framework-free: a field is whatever the datamodule put there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from model_constructor.errors import ParameterError, close_matches, format_config_path
from offline_trainer.batch_size import sample_count
from offline_trainer.engine import Stage

FieldPath = str | int | Sequence[str | int]
"""Keys and indices into the nested batch, outermost first; a single one may stand alone."""

_Place = tuple[str | int, ...]
_MISSING = (KeyError, IndexError, TypeError)


class MappingIo:
    """Model inputs, targets and weight of a batch, each named by its path in the batch.

    Args:
        model_args: Paths of the model's positional inputs.
        model_kwargs: Path of each named input of the model.
        targets: Path of each target, under the name that the loss and the metrics see.
        weight: Path of an array whose sum is the batch's weight, such as a mask; without it a
            batch weighs as much as it has samples.

    Raises:
        ParameterError: A path is empty or malformed.

    >>> io = MappingIo(model_kwargs={"x": ["x"]}, targets={"y": ["labels", "class"]})
    >>> io.split({"x": "pixels", "labels": {"class": 7}}, "train")
    (((), {'x': 'pixels'}), {'y': 7}, None)
    """

    def __init__(
        self,
        model_args: Sequence[FieldPath] | None = None,
        model_kwargs: Mapping[str, FieldPath] | None = None,
        targets: Mapping[str, FieldPath] | None = None,
        weight: FieldPath | None = None,
    ) -> None:
        for parameter, given in (("model_kwargs", model_kwargs), ("targets", targets)):
            if given is not None and not isinstance(given, Mapping):
                raise ParameterError(
                    f"{parameter} must map names to paths, got {given!r}", parameter=parameter
                )
        if model_args is not None and not isinstance(model_args, (list, tuple)):
            raise ParameterError(
                f"model_args must be a list of paths, got {model_args!r}", parameter="model_args"
            )
        self._paths: dict[_Place, tuple[str | int, ...]] = {}
        self._args = [
            self._lookup(path, ("model_args", position))
            for position, path in enumerate(model_args or ())
        ]
        self._kwargs = [
            (name, self._lookup(path, ("model_kwargs", name)))
            for name, path in (model_kwargs or {}).items()
        ]
        self._targets = [
            (name, self._lookup(path, ("targets", name))) for name, path in (targets or {}).items()
        ]
        self._weight = None if weight is None else self._lookup(weight, ("weight",))

    def model_inputs(self) -> tuple[int, tuple[str, ...]]:
        """How many inputs are positional, and the names of the others."""
        return len(self._args), tuple(name for name, _ in self._kwargs)

    def split(
        self, batch: Any, stage: Stage
    ) -> tuple[tuple[tuple[Any, ...], dict[str, Any]], dict[str, Any], None]:
        """``((args, kwargs) of the model, targets by name, None)``.

        In stage ``predict`` a target that the batch does not have is left out.

        Raises:
            ParameterError: The batch lacks a field, named with those it has.
        """
        try:
            args = tuple([get(batch) for get in self._args])
            kwargs = {name: get(batch) for name, get in self._kwargs}
            if stage == "predict":
                return (args, kwargs), dict(self._present_targets(batch)), None
            return (args, kwargs), {name: get(batch) for name, get in self._targets}, None
        except _MISSING as error:
            self._explain(batch)
            raise error

    def weight(self, batch: Any) -> float:
        """The sum of the weight field; without one, the number of samples.

        Raises:
            ParameterError: The batch lacks the field, or has no array at all.
        """
        if self._weight is None:
            count = sample_count(batch)
            if count is None:
                raise ParameterError(
                    "the batch has no array to count its samples by",
                    help="name a field of it as `weight`",
                )
            return float(count)
        try:
            return float(self._weight(batch).sum())
        except _MISSING as error:
            self._explain(batch)
            raise error

    def _lookup(self, path: FieldPath, place: _Place) -> Callable[[Any], Any]:
        keys = tuple(path) if isinstance(path, (list, tuple)) else (path,)
        if not keys or not all(
            isinstance(key, (str, int)) and not isinstance(key, bool) for key in keys
        ):
            raise ParameterError(
                f"{path!r} is no path in a batch; expected a list of keys and indices",
                parameter=place,
            )
        self._paths[place] = keys
        if len(keys) == 1:
            (only,) = keys
            return lambda batch: batch[only]  # not an itemgetter, which cannot be compiled

        def get(batch: Any) -> Any:
            for key in keys:
                batch = batch[key]
            return batch

        return get

    def _present_targets(self, batch: Any) -> Iterator[tuple[str, Any]]:
        for name, get in self._targets:
            try:
                yield name, get(batch)
            except _MISSING:
                continue

    def _explain(self, batch: Any) -> None:
        """Find the first path that leads nowhere, and raise an error about it."""
        for place, path in self._paths.items():
            found = batch
            for depth, key in enumerate(path):
                try:
                    found = found[key]
                except _MISSING as error:
                    whole = f"`{format_config_path(path[:depth])}` of the batch"
                    container = whole if depth else "the batch"
                    fields = list(found) if isinstance(found, Mapping) else []
                    raise ParameterError(
                        f"{container} has no field `{key}`; {_contents(found)}",
                        parameter=place,
                        suggestions=close_matches(key, map(str, fields)),
                    ) from error


def _contents(container: Any) -> str:
    if isinstance(container, Mapping):
        return f"its fields are {', '.join(f'`{name}`' for name in container) or 'none'}"
    if isinstance(container, (list, tuple)):
        return f"it is a {type(container).__name__} of {len(container)}"
    return f"it is a {type(container).__name__}"
