"""A config to start from for a table: proposed, to be read and changed by a person."""

from __future__ import annotations

from typing import Any

from model_constructor.errors import ParameterError, close_matches
from model_constructor.listing import first_few
from offline_trainer.data.inspection import ColumnSummary, Inspection

_MOST_CLASSES = 20
_MOST_CATEGORIES = 50
_SHOWN = 12


def proposed_config(table: Inspection, target: str | None, delimiter: str = ",") -> dict[str, Any]:
    """An experiment on a table.

    Args:
        target: The column to learn; the last one if None.
        delimiter: Of a CSV file.

    Raises:
        ParameterError: There is no such column, or nothing to learn from or of.
    """
    names = [column.name for column in table.columns]
    if target is not None and target not in names:
        raise ParameterError(
            f"{table.path} has no column `{target}`",
            parameter="target",
            suggestions=close_matches(target, names),
            help=f"its columns are {first_few(names, _SHOWN)}",
        )
    *_, goal = [column for column in table.columns if target in (None, column.name)]
    features = [c for c in table.columns if c is not goal and left_out(c) is None]
    if goal.type in ("empty", "date") or not features:
        raise ParameterError(
            f"`{goal.name}` of {table.path} is {goal.type}, and {len(features)} columns are left "
            "for the features: there is nothing to learn",
            parameter="target",
            help="choose another --target",
        )
    classes = classes_of(goal)
    name = table.path.name.partition(".")[0] or "table"
    outputs = len(classes) if classes is not None else 1
    loss = "nn.CrossEntropyLoss" if classes is not None else "nn.MSELoss"
    config: dict[str, Any] = {
        "schema_version": 1,
        "run": {"name": name, "out_dir": f"runs/{name}", "seed": 0},
        "data": _data(table, goal, features, classes, delimiter),
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
        "model": {
            "sequential": {
                "inputs": ["x"],
                "layers": [{"_type_": "mlp", "dims": [None, 64, 64, outputs]}],
            }
        },
        "loss": {"_type_": "loss.torch", "fn": {"_type_": loss}},
        "optimizer": {
            "_type_": "optim_factory.torch",
            "type": "optim_cls.AdamW",
            "kwargs": {"lr": 0.001},
        },
        "trainer": {"_type_": "trainer.default", "max_epochs": 20},
        "callbacks": [{"_type_": "cb.model_checkpoint"}],
    }
    if classes is not None:
        config["metrics"] = [{"_type_": "metric.accuracy"}]
    return config


def left_out(column: ColumnSummary) -> str | None:
    """Why a column is not proposed as a feature; None if it is."""
    if column.type == "empty":
        return "nothing is in it"
    if column.distinct is not None and len(column.distinct) == 1:
        return "it has one value only"
    if column.type == "text":
        if column.numbers and column.numbers > column.others:
            odd = next(text for text in column.distinct or () if not _is_number(text))
            return f"most of it are numbers, and {odd!r} is none"
        if column.distinct is None or len(column.distinct) > _MOST_CATEGORIES:
            return "it is text with too many values for categories"
    return "its numbers count the rows, as identifiers do" if _counts_rows(column) else None


def _counts_rows(column: ColumnSummary) -> bool:
    """Whether it has each whole number from the smallest to the largest, once."""
    rows, distinct = column.known, column.distinct
    return (
        column.type == "number"
        and rows == column.whole > _MOST_CLASSES
        and column.largest - column.smallest + 1 == rows
        and (distinct is None or len(distinct) == rows)
    )


def classes_of(goal: ColumnSummary) -> list[str] | None:
    """The classes of a target; None if it is a number to be predicted."""
    if goal.type == "text":
        return sorted(goal.distinct) if goal.distinct is not None else None
    few = goal.distinct if goal.distinct is not None else {}
    whole = all(text.lstrip("-").isdigit() for text in few)
    return sorted(few, key=float) if whole and 2 <= len(few) <= _MOST_CLASSES else None


def _data(
    table: Inspection,
    goal: ColumnSummary,
    features: list[ColumnSummary],
    classes: list[str] | None,
    delimiter: str,
) -> dict[str, Any]:
    is_class = classes is not None
    data: dict[str, Any] = {
        "_type_": "data.table",
        "path": str(table.path),
        "target": goal.name if is_class else [goal.name],
    }
    if len(features) + 1 < len(table.columns):
        data["features"] = [column.name for column in features]
    if delimiter != ",":
        data["delimiter"] = delimiter
    declared = {
        column.name: {"type": "category" if column.type == "text" else "date"}
        for column in features
        if column.type != "number"
    }
    if is_class:
        declared[goal.name] = {"type": "category", "categories": classes}  # type: ignore[dict-item]
    if declared:
        data["columns"] = declared
    texts = sorted({text for column in (*features, goal) for text in column.missing})
    if texts:
        data["missing"] = texts
    data["transforms"] = _transforms(goal, features, is_class)
    data["split"] = {"val": 0.1, "test": 0.2}
    if is_class and min((goal.distinct or {"": 0}).values()) >= _MOST_CLASSES // 2:
        data["split"]["stratify"] = goal.name
    data["batch_size"] = 32
    return data


def _transforms(
    goal: ColumnSummary, features: list[ColumnSummary], is_class: bool
) -> list[dict[str, Any]]:
    numbers = [column for column in features if column.type != "text"]
    categories = [column for column in features if column.type == "text"]
    made: list[dict[str, Any]] = []
    if any(column.missing for column in numbers):
        made.append({"_type_": "transform.impute", "strategy": "median"})
    if lacking := [column.name for column in categories if column.missing]:
        made.append({"_type_": "transform.impute", "strategy": "most_frequent", "columns": lacking})
    if numbers:
        made.append({"_type_": "transform.standardise"})
    if not is_class:
        made.append({"_type_": "transform.standardise", "columns": [goal.name]})
    if categories:
        made.append({"_type_": "transform.one_hot"})
    return made


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
