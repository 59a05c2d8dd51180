"""Parquet, Feather and Arrow files: types, what is missing, damage, and reading in pieces."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_constructor.errors import ParameterError
from offline_trainer.data import arrow
from offline_trainer.data.arrow_table import ArrowTable
from offline_trainer.data.table import Table

pa = pytest.importorskip("pyarrow")

COLUMNS: dict[str, Any] = {
    "whole": pa.array([1, 2, None, 4], pa.int32()),
    "part": pa.array([0.5, 1.5, float("nan"), 3.5], pa.float32()),
    "money": pa.array([Decimal("1.25"), Decimal("2.50"), None, Decimal("3.75")]),
    "yes": pa.array([True, False, True, None]),
    "text": pa.array(["a", " b ", None, "a"]),
    "kind": pa.array(["x", "y", "x", "y"]).dictionary_encode(),
    "day": pa.array([date(1970, 1, 2), date(1970, 1, 3), None, date(2026, 1, 1)]),
    "time": pa.array([datetime(1970, 1, 1, 12)] * 4, pa.timestamp("ns", "UTC")),
    "list": pa.array([[1], [2], [3], [4]]),
}


def written(folder: Path, suffix: str, columns: dict[str, Any] = COLUMNS) -> Path:
    from pyarrow import feather, parquet

    file = folder / f"t{suffix}"
    table = pa.table(columns)
    if suffix == ".parquet":
        parquet.write_table(table, file)
    else:
        feather.write_feather(table, file)
    return file


@pytest.fixture(params=[".parquet", ".feather", ".arrow"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return written(tmp_path, request.param)


def test_numbers_of_every_type_are_read_and_nothing_is_missing_in_silence(file: Path) -> None:
    table = ArrowTable.open(file)
    assert (table.names, len(table)) == (tuple(COLUMNS), 4)
    read = table.numbers(["money", "whole", "part", "yes"], ["4"])
    assert list(read) == ["money", "whole", "part", "yes"]
    assert read["whole"] == pytest.approx([1, 2, np.nan, np.nan], nan_ok=True)
    assert read["part"] == pytest.approx([0.5, 1.5, np.nan, 3.5], nan_ok=True)
    assert read["money"] == pytest.approx([1.25, 2.5, np.nan, 3.75], nan_ok=True)
    assert read["yes"] == pytest.approx([1, 0, 1, np.nan], nan_ok=True)


def test_texts_are_texts_whole_numbers_and_dates(file: Path) -> None:
    read = ArrowTable.open(file).texts(["text", "kind", "whole", "day", "yes"])
    assert read["text"] == ["a", "b", None, "a"]
    assert read["kind"] == ["x", "y", "x", "y"]
    assert read["whole"] == ["1", "2", None, "4"]
    assert read["day"] == ["1970-01-02", "1970-01-03", None, "2026-01-01"]
    assert read["yes"] == ["true", "false", "true", None]


def test_a_table_is_trained_on_as_from_csv(file: Path) -> None:
    data = Table(
        file,
        target="kind",
        features=["whole", "text", "day", "time"],
        columns={
            "kind": {"type": "category"},
            "text": {"type": "category"},
            "day": {"type": "date"},
            "time": {"type": "date"},
        },
        transforms=[imputed("whole", "day"), most_frequent("text"), one_hot()],
        shuffle=False,
    )
    data.setup("fit")
    (batch,) = data.train_dataloader()
    assert batch["y"].tolist() == [0, 1, 0, 1]
    assert batch["x"][:2].tolist() == [[1, 1, 0, 1, 0.5], [2, 0, 1, 2, 0.5]]
    assert batch["x"][2, 1:3].tolist() == [1, 0]


def imputed(*columns: str) -> Any:
    from offline_trainer.data.transforms.impute import Impute

    return Impute(columns)


def most_frequent(*columns: str) -> Any:
    from offline_trainer.data.transforms.impute import Impute

    return Impute(columns, "most_frequent")


def one_hot() -> Any:
    from offline_trainer.data.transforms.one_hot import OneHot

    return OneHot()


@pytest.mark.parametrize(
    ("column", "as_", "problem"),
    [
        ("text", "number", "row 0 (from 0), column `text`: the column holds string, not numbers"),
        ("day", "number", "column `day`: the column holds date32[day], not numbers"),
        ("list", "number", "column `list`: the column holds list<element: int64>, not numbers"),
        ("part", "category", "column `part`: the column holds float, not categories or dates"),
    ],
)
def test_a_column_of_another_type_is_said(
    tmp_path: Path, column: str, as_: str, problem: str
) -> None:
    table = ArrowTable.open(written(tmp_path, ".parquet"))
    with pytest.raises(ParameterError) as caught:
        table.numbers([column]) if as_ == "number" else table.texts([column])
    assert problem in caught.value.message
    assert "{type: …}" in caught.value.help


def test_what_is_missing_or_infinite_is_located(tmp_path: Path) -> None:
    file = written(tmp_path, ".parquet", {"a": [1.0, None], "y": [1.0, 2.0]})
    with pytest.raises(
        ParameterError, match=r"t\.parquet, row 1 \(from 0\), column `a`: the value"
    ):
        Table(file, target="y").setup("fit")
    file = written(tmp_path, ".parquet", {"a": [1.0, float("inf")], "y": [1.0, 2.0]})
    with pytest.raises(ParameterError, match=r"row 1 \(from 0\), column `a`: inf is not a finite"):
        Table(file, target="y").setup("fit")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_truncated_file_is_an_error_and_never_a_traceback(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ParameterError) as caught:
        ArrowTable.open(file).numbers(["whole"])
    assert str(file) in caught.value.message
    with pytest.raises(ParameterError):
        list(ArrowTable.blocks(file, 2))


def test_damage_in_the_middle_is_an_error(tmp_path: Path) -> None:
    file = written(tmp_path, ".parquet", {"a": np.random.default_rng(0).normal(size=10_000)})
    content = bytearray(file.read_bytes())
    for at in range(4, 3000):
        content[at] ^= 0xA5
    file.write_bytes(bytes(content))
    with pytest.raises(ParameterError, match="is damaged"):
        ArrowTable.open(file).numbers(["a"])


def test_a_table_is_given_in_pieces_that_know_where_they_are(file: Path) -> None:
    pieces = list(ArrowTable.blocks(file, 3))
    assert [len(piece) for piece in pieces] == [3, 1]
    assert pieces[1].numbers(["whole"])["whole"].tolist() == [4.0]
    assert pieces[1].place(0).endswith("row 3 (from 0)")
    assert pieces[1].carried()["text"].to_pylist() == ["a"]


def test_no_rows_or_two_columns_of_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="has no rows"):
        ArrowTable.open(written(tmp_path, ".parquet", {"a": pa.array([], pa.float64())}))
    from pyarrow import parquet

    twice = pa.table([[1], [2]], names=["a", "a"])
    parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(ParameterError, match="two columns named `a`"):
        ArrowTable.open(tmp_path / "twice.parquet")


def test_without_pyarrow_the_way_to_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    file = written(tmp_path, ".parquet")
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParameterError, match="pyarrow is needed") as caught:
        ArrowTable.open(file)
    assert caught.value.help == arrow.INSTALL
