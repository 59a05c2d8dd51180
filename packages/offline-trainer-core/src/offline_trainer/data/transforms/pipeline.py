"""The transforms of a table one after the other: fitted once, then the same for all rows.

What they have learned is plain data: for each of them, a state by column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_constructor.errors import ConfigPath, ParameterError, close_matches
from model_constructor.foreign import error_text
from model_constructor.listing import first_few
from offline_trainer.data.batches import Array
from offline_trainer.data.order import Indices
from offline_trainer.engine import Json
from offline_trainer.protocols import BadValueError

Columns = dict[str, Array]
"""By name, each (N, ...): float64, or object for categories."""
Place = Callable[[int], str]
"""From a row to where it is, for messages."""

_SHOWN = 12
_METHODS = ("fit", "apply")


@dataclass(frozen=True, slots=True)
class Step:
    """One transform, and the parameter of the datamodule that asked for it."""

    transform: Any
    parameter: ConfigPath


class Pipeline:
    """Transforms in their order.

    Args:
        steps: The transforms.
        targets: Columns that a transform gets only if it names them, and must be able to invert.
        declared: The categories of columns of which all are declared.

    Attributes:
        states: What each step has learned: its state for each column that it transforms.

    Raises:
        ParameterError: A step is no transform.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        targets: Sequence[str] = (),
        declared: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._steps = steps
        self._targets = targets
        self._declared = declared or {}
        self.states: list[dict[str, Json]] = []
        self._loaded = False
        for step in steps:
            missing = [m for m in _METHODS if not callable(getattr(step.transform, m, None))]
            if missing:
                raise ParameterError(
                    f"{type(step.transform).__name__} is no transform of columns: it has no "
                    f"{missing[0]}()",
                    parameter=step.parameter,
                    help="write {_type_: transform.…}; see `ot list-components --kind transform`",
                )

    def fit(self, columns: Columns, rows: Indices, place: Place) -> None:
        """Learn from some rows, and transform all of them in place.

        Raises:
            ParameterError: A step names a column that is not there or not for it, or a value cannot
                be transformed.
        """
        self.states = []
        for step in self._steps:
            states: dict[str, Json] = {}
            for name in self._chosen(step, columns):
                with _named(step, name):
                    states[name] = self._learned(step.transform, name, columns[name], rows)
                columns[name] = self._applied(step, name, columns[name], states[name], place)
            self.states.append(states)

    def apply(self, columns: Columns, place: Place) -> None:
        """Transform rows in place by what was learned; columns that are not there are passed over.

        Raises:
            ParameterError: A value cannot be transformed.
        """
        for step, states in zip(self._steps, self.states, strict=True):
            for name, state in states.items():
                if name in columns:
                    columns[name] = self._applied(step, name, columns[name], state, place)

    def invert(self, name: str, values: Array) -> Array:
        """A column as it was before the transforms, from how it is after them."""
        for step, states in reversed(list(zip(self._steps, self.states, strict=True))):
            if name in states:
                values = step.transform.invert(values, states[name])
        return values

    def output_names(self, name: str, values: Array) -> list[str]:
        """What the parts of a transformed column are called; itself, if it is one."""
        for step, states in reversed(list(zip(self._steps, self.states, strict=True))):
            named = getattr(step.transform, "output_names", None)
            if name in states and named is not None:
                return list(named(name, states[name]))
        if values.ndim == 1:
            return [name]
        return [f"{name}[{position}]" for position in range(values.shape[1])]

    def categories(self, name: str) -> list[str] | None:
        """The categories of a column in the order of their numbers, if a step has made some."""
        for states in reversed(self.states):
            state = states.get(name)
            if isinstance(state, Mapping) and isinstance(state.get("categories"), list):
                return list(map(str, state["categories"]))
        return None

    def load(self, states: Json) -> None:
        """Use what an earlier pipeline learned.

        Raises:
            ValueError: It is not that of these steps.
        """
        if not isinstance(states, list) or len(states) != len(self._steps):
            raise ValueError(f"expected the states of {len(self._steps)} transforms")
        if not all(isinstance(each, dict) for each in states):
            raise ValueError("expected a state for each column of a transform")
        self.states = states
        self._loaded = True

    def _learned(self, transform: Any, name: str, values: Array, rows: Indices) -> Json:
        categories = self._declared.get(name)
        if categories is not None and hasattr(transform, "fit_declared"):
            return transform.fit_declared(categories)
        return transform.fit(values[rows])

    def _chosen(self, step: Step, columns: Columns) -> Iterator[str]:
        takes = getattr(step.transform, "takes", ("number",))
        named = getattr(step.transform, "columns", None)
        if named is None:
            yield from [
                name
                for name, values in columns.items()
                if name not in self._targets and kind_of(values) in takes
            ]
            return
        for position, name in enumerate(named):
            where = (*step.parameter, "columns", position)
            if name not in columns:
                raise ParameterError(
                    f"`{name}` is neither a feature nor the target; there are "
                    f"{first_few(list(columns), _SHOWN)}",
                    parameter=where,
                    suggestions=close_matches(name, columns),
                )
            kind = kind_of(columns[name])
            if kind not in takes:
                raise ParameterError(
                    f"column `{name}` holds {_PLURAL[kind]} here; {type(step.transform).__name__} "
                    f"takes {' and '.join(_PLURAL[each] for each in takes)}",
                    parameter=where,
                    help=_WAY_OUT[kind],
                )
            if name in self._targets and not hasattr(step.transform, "invert"):
                raise ParameterError(
                    f"column `{name}` is a target, and what {type(step.transform).__name__} does "
                    "cannot be undone for predictions",
                    parameter=where,
                )
            yield name

    def _applied(self, step: Step, name: str, values: Array, state: Json, place: Place) -> Array:
        try:
            made = np.asarray(step.transform.apply(values, state))
        except BadValueError as error:
            raise ParameterError(
                f"{place(error.row)}, column `{name}`: {error.message}",
                parameter=step.parameter,
                suggestions=error.suggestions,
                help=error.help,
            ) from error
        except Exception as error:
            if isinstance(error, ParameterError) or not self._loaded:
                raise
            raise ParameterError(
                f"what the run stores of column `{name}` is nothing that "
                f"{type(step.transform).__name__} has learned: {error_text(error)}",
                parameter=step.parameter,
            ) from error
        if len(made) != len(values):
            raise ParameterError(
                f"{type(step.transform).__name__} made {len(made)} rows of {len(values)}",
                parameter=step.parameter,
            )
        return made


_PLURAL = {"number": "numbers", "category": "categories"}
_WAY_OUT = {
    "number": "declare `columns: {NAME: {type: category}}` if its numbers are names of something",
    "category": "put transform.one_hot or transform.ordinal before it",
}


def kind_of(values: Array) -> str:
    """What a column holds: ``number`` or ``category``."""
    return "category" if values.dtype == object else "number"


class _named:  # noqa: N801 - reads as a context at its uses
    """Put the column's name before what a transform says of its values."""

    def __init__(self, step: Step, name: str) -> None:
        self._step, self._name = step, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ParameterError):
            raise ParameterError(
                f"column `{self._name}` {error.message}",
                parameter=self._step.parameter,
                help=error.help,
            ) from error
