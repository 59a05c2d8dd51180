"""What is written for the outputs of a model: the target's own columns, in its own units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.transforms.pipeline import Pipeline
from offline_trainer.protocols import Values


def predicted_columns(
    outputs: Any, probabilities: Array | None, targets: Sequence[str], pipeline: Pipeline
) -> dict[str, Values]:
    """``predicted_TARGET`` for each target, and for classes ``probability_CLASS``.

    Args:
        outputs: One array (B,), (B, 1) or (B, T), or a mapping with nothing else in it.
        probabilities: (B, C) of C classes.
        targets: The columns that were learned.
        pipeline: The transforms of the targets, which are inverted.

    Raises:
        ParameterError: There are not as many outputs as targets or classes.
    """
    if probabilities is not None and len(targets) == 1:
        return _classes(probabilities, targets[0], pipeline)
    while isinstance(outputs, Mapping) and len(outputs) == 1:
        (outputs,) = outputs.values()
    if not isinstance(outputs, np.ndarray):
        raise ParameterError(
            f"the model gives a {type(outputs).__name__}; predictions are written of one array"
        )
    values = outputs.reshape(len(outputs), -1).astype(np.float64)
    if values.shape[1] != len(targets):
        raise ParameterError(
            f"the model gives {values.shape[1]} values for each row, and there are "
            f"{len(targets)} targets: {', '.join(targets)}"
        )
    return {
        f"predicted_{name}": pipeline.invert(name, values[:, position])
        for position, name in enumerate(targets)
    }


def _classes(probabilities: Array, target: str, pipeline: Pipeline) -> dict[str, Values]:
    count = probabilities.shape[1]
    classes = pipeline.categories(target)
    if classes is not None and len(classes) != count:
        raise ParameterError(
            f"the model gives {count} values for each row, and `{target}` has {len(classes)} "
            f"categories: {', '.join(classes)}"
        )
    numbers = probabilities.argmax(axis=1)
    labels = numbers if classes is None else pipeline.invert(target, numbers.astype(np.float64))
    names = map(str, range(count)) if classes is None else classes
    return {
        f"predicted_{target}": labels,
        **{
            f"probability_{name}": probabilities[:, position] for position, name in enumerate(names)
        },
    }
