"""`log.csv`: metrics as one table, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from model_constructor.errors import ParameterError
from offline_trainer.engine import Stage

_FIRST_COLUMNS = ("step", "epoch", "stage")


class CsvLogger:
    """A line for each row: step, epoch, stage, then the metrics in the order of their appearance.

    When a metric appears for the first time, the file is written anew with one more column. A
    number that is not finite is left empty. A resumed run goes on with the rows that still count.

    Args:
        file_name: Its name in the run directory.

    Raises:
        ParameterError: It is a path and not a name.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     logger = CsvLogger()
    ...     logger.begin(out_dir=Path(folder), step=0)
    ...     logger.log_metrics({"epoch": 1, "loss": 0.5}, step=1, stage="train")
    ...     logger.log_metrics({"epoch": 1, "accuracy": 0.25}, step=1, stage="val")
    ...     logger.close()
    ...     print(Path(folder, "metrics.csv").read_text())
    step,epoch,stage,loss,accuracy
    1,1,train,0.5,
    1,1,val,,0.25
    <BLANKLINE>
    """

    immediate: ClassVar[bool] = True  # beside metrics.jsonl: it waits where the run itself waits

    def __init__(self, file_name: str = "metrics.csv") -> None:
        if file_name != Path(file_name).name:
            raise ParameterError(
                f"file_name must be a name in the run directory, got {file_name!r}",
                parameter="file_name",
            )
        self._file_name = file_name
        self._columns = list(_FIRST_COLUMNS)

    def begin(self, *, out_dir: Path, step: int) -> None:
        """Start the file with the rows that the run has so far, which are in its metrics.jsonl."""
        self._path = out_dir / self._file_name
        source = out_dir / "metrics.jsonl"
        lines = source.read_text().splitlines() if source.exists() else []
        self._write_anew(map(json.loads, lines))

    def log_hparams(self, params: Mapping[str, Any]) -> None:
        """Write nothing; the config is in the run directory."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: Stage) -> None:
        """Append one line."""
        row = {"step": step, "stage": stage, **metrics}
        if not row.keys() <= set(self._columns):
            self._write_anew([*self._rows(), row])
            return
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(self._cells(row))

    def close(self) -> None:
        """Nothing is left open between rows."""

    def _rows(self) -> list[dict[str, str]]:
        with self._path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _write_anew(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write all rows to a file beside it that then takes its place: none is ever half there."""
        rows = list(rows)
        self._columns = list(dict.fromkeys([*self._columns, *chain.from_iterable(rows)]))
        beside = self._path.with_name(f".{self._path.name}.tmp")
        with beside.open("w", newline="") as file:
            csv.writer(file).writerows([self._columns, *map(self._cells, rows)])
        beside.replace(self._path)

    def _cells(self, row: Mapping[str, Any]) -> list[Any]:
        return [_cell(name, row.get(name)) for name in self._columns]


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return int(value) if name == "epoch" else value
    return value
