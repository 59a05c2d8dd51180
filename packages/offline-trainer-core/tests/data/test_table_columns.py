"""Columns that are declared: categories, dates, missing values; and what is seen of which rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_trainer.data.table import Table
from offline_trainer.data.transforms.impute import Impute
from offline_trainer.data.transforms.one_hot import OneHot
from offline_trainer.data.transforms.ordinal import Ordinal
from offline_trainer.data.transforms.quantile import Quantile
from offline_trainer.data.transforms.standardise import Standardise

ROWS = "size,colour,born,kind\n1,red,1970-01-02,cat\nNA,blue,01.03.1970,dog\n3,,1970-01-04,cat\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "t.csv"
    file.write_text(ROWS.replace("01.03.1970", "1970-01-03"))
    return file


def ready(path: Path, **kwargs: Any) -> Table:
    data = Table(path, **{"target": "kind", "shuffle": False, "batch_size": 100, **kwargs})
    data.setup("fit")
    return data


def only_batch(data: Table) -> dict[str, np.ndarray[Any, Any]]:
    (batch,) = data.train_dataloader()
    return batch


COLUMNS: dict[str, Any] = {
    "colour": {"type": "category", "missing": [""]},
    "born": {"type": "date"},
    "kind": {"type": "category"},
}


def test_each_column_becomes_what_it_is_declared_to_be(table: Path) -> None:
    data = ready(
        table,
        columns=COLUMNS,
        missing=["NA"],
        transforms=[Impute(), Impute(strategy="constant", value="none"), OneHot()],
    )
    batch = only_batch(data)
    assert batch["x"].tolist() == [[1, 0, 0, 1, 1], [2, 1, 0, 0, 2], [3, 0, 1, 0, 3]]
    assert (batch["y"].tolist(), batch["y"].dtype) == ([0, 1, 0], np.dtype(np.int64))
    assert data.transform_state()["transforms"][2]["colour"] == {
        "categories": ["blue", "none", "red"]
    }


def test_classes_are_in_the_order_in_which_they_are_declared(table: Path) -> None:
    kinds = {"type": "category", "categories": ["dog", "cat"]}
    size: Any = {"features": ["size"], "missing": ["NA"]}
    data = ready(table, columns={"kind": kinds}, transforms=[Impute()], **size)
    assert only_batch(data)["y"].tolist() == [1, 0, 1]
    same = Ordinal(["kind"], ["dog", "cat"])
    undeclared = {"kind": {"type": "category"}}
    again = ready(table, columns=undeclared, transforms=[Impute(), same], **size)
    assert only_batch(again)["y"].tolist() == [1, 0, 1]
    assert data.predictions(None, np.array([[0.9, 0.1]]))["predicted_kind"].tolist() == ["dog"]


def test_a_date_may_be_written_in_any_way_that_is_declared(table: Path) -> None:
    table.write_text("born,y\n02.01.1970 06:00,1\n")
    data = ready(table, target="y", columns={"born": {"type": "date", "format": "%d.%m.%Y %H:%M"}})
    assert only_batch(data)["x"].tolist() == [[1.25]]


def test_a_missing_number_may_be_a_number(table: Path) -> None:
    table.write_text("a,b,y\n-999.0,-999,1\n2,3,1\n")
    data = ready(
        table, target="y", columns={"a": {"missing": [-999]}}, transforms=[Impute()], split=None
    )
    assert only_batch(data)["x"].tolist() == [[2, -999], [2, 3]]


def test_predictions_are_in_the_units_of_the_table(table: Path) -> None:
    table.write_text("a,y,z\n1,10,5\n2,20,5\n3,30,5\n")
    data = ready(table, target=["y", "z"], features=["a"], transforms=[Standardise(["y"])])
    assert only_batch(data)["y"].mean(axis=0).tolist() == pytest.approx([0, 5])
    found = data.predictions({"out": np.array([[0.0, 4.0], [1.0, 6.0]])}, None)
    assert found["predicted_y"].tolist() == pytest.approx([20, 20 + np.std([10, 20, 30])])
    assert found["predicted_z"].tolist() == [4.0, 6.0]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(6, 40),
    st.sampled_from(
        [
            {"split": {"val": 0.25, "test": 0.25}},
            {"split": {"kfold": 3, "fold": 1, "val": 0.2}},
            {"split": {"test": 0.4, "groups": "g"}},
        ]
    ),
    st.integers(0, 50),
)
def test_no_test_row_is_seen_in_training_or_in_fitting(
    length: int, how: dict[str, Any], seed: int
) -> None:
    """Whatever stands in the other rows, training and all that is fitted is the same."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        outside: set[int] = set()
        for other in (1, 1000):
            lines = ["n,a,b,kind,g,y"]
            for row in range(length):
                times = other if row in outside else 1
                kind = "red" if row in outside else ("red", "blue")[row % 2]
                a = "NA" if row % 5 == 3 else str(row * 0.37 * times)
                lines.append(f"{row},{a},{row % 7 * times},{kind},{row % 5},{row * times}")
            file.write_text("\n".join(lines) + "\n")
            data = Table(
                file,
                target=["y", "n"],
                features=["a", "b", "kind"],
                columns={"kind": {"type": "category", "categories": ["red", "blue"]}},
                missing=["NA"],
                transforms=[Impute(), Quantile(["b"]), Standardise(["a", "y"]), OneHot()],
                seed=seed,
                batch_size=4,
                **how,
            )
            data.setup("fit")
            epoch = list(data.train_dataloader())
            seen = {int(n) for batch in epoch for n in batch["y"][:, 1].tolist()}
            outside = set(range(length)) - seen
            tested = data.test_dataloader()
            assert tested is not None
            assert not seen & {int(n) for batch in tested for n in batch["y"][:, 1].tolist()}
            made.append((data.transform_state(), [batch["x"].tolist() for batch in epoch]))
    assert made[0] == made[1]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70), st.booleans(), st.integers(0, 3))
def test_every_row_comes_exactly_once_in_an_epoch(
    length: int, batch_size: int, shuffle: bool, epoch: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        file.write_text("a,y\n" + "".join(f"{n},{n}\n" for n in range(length)))
        data = Table(file, target="y", batch_size=batch_size, shuffle=shuffle)
        data.setup("fit")
        data.set_position(epoch, 0)
        batches = [batch["y"].tolist() for batch in data.train_dataloader()]
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert sorted(n for batch in batches for n in batch) == list(range(length))
