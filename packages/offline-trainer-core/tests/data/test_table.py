"""`data.table`: columns, dtypes, splits, standardisation."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_constructor.errors import ParameterError
from offline_trainer.data.table import Table

ROWS = "a,b,kind,part\n" + "".join(
    f"{i},{10 * i + 0.5},{i % 3},{'train' if i < 6 else 'val' if i < 8 else 'test'}\n"
    for i in range(10)
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "table.csv"
    file.write_text(ROWS)
    return file


def ready(path: Path, **kwargs: Any) -> Table:
    data = Table(path, **{"target": "kind", "features": ["a", "b"], "shuffle": False, **kwargs})
    data.setup("fit")
    return data


def only_batch(path: Path, **kwargs: Any) -> dict[str, np.ndarray]:
    (batch,) = ready(path, batch_size=100, **kwargs).train_dataloader()
    return batch


def refused(path: Path, **kwargs: Any) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        ready(path, **kwargs)
    return caught.value


def test_features_and_target_arrive_with_their_dtypes(table: Path) -> None:
    batch = only_batch(table, target_dtype="int64")
    assert list(batch) == ["x", "y"]
    assert (batch["x"].shape, batch["x"].dtype) == ((10, 2), np.dtype(np.float32))
    assert (batch["y"].shape, batch["y"].dtype) == ((10,), np.dtype(np.int64))
    assert batch["x"][3].tolist() == [3.0, 30.5]
    assert batch["y"].tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]


def test_the_order_of_features_is_the_one_asked_for(table: Path) -> None:
    assert only_batch(table, features=["b", "a"])["x"][3].tolist() == [30.5, 3.0]


def test_a_list_of_targets_gives_a_matrix(table: Path) -> None:
    assert only_batch(table, target=["kind"])["y"].shape == (10, 1)
    batch = only_batch(table, target=["kind", "b"], features=["a"], feature_dtype="float64")
    assert (batch["y"].shape, batch["y"].dtype) == ((10, 2), np.dtype(np.float32))
    assert batch["x"].dtype == np.float64


def test_without_features_every_column_not_used_otherwise_is_one(table: Path) -> None:
    assert only_batch(table, features=None, split_column="part")["x"].shape == (6, 2)
    assert "`train`" not in str(refused(table, features=None))
    assert "line 2, column `part`: 'train' is not a number" in str(refused(table, features=None))


def test_gzip_and_npz_hold_the_same_table(table: Path, tmp_path: Path) -> None:
    plain = only_batch(table)
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(ROWS.encode()))
    archive = tmp_path / "table.npz"
    np.savez(archive, a=np.arange(10), b=np.arange(10) * 10 + 0.5, kind=np.arange(10) % 3)
    for path in (packed, archive):
        batch = only_batch(path)
        assert np.array_equal(batch["x"], plain["x"])
        assert np.array_equal(batch["y"], plain["y"])


def test_an_npz_array_with_two_dimensions_is_several_columns(tmp_path: Path) -> None:
    file = tmp_path / "table.npz"
    np.savez(file, image=np.arange(12).reshape(4, 3), age=np.arange(4), kind=np.zeros(4))
    data = ready(file, features=["image", "age"], standardise=True, batch_size=4)
    (batch,) = data.train_dataloader()
    assert batch["x"].shape == (4, 4)
    (fitted,) = data.transform_state()["transforms"]
    assert [len(np.atleast_1d(fitted[name]["mean"])) for name in ("image", "age")] == [3, 1]


def test_a_split_column_divides_the_rows(table: Path) -> None:
    data = ready(table, split_column="part", batch_size=100)
    parts = [data.train_dataloader(), data.val_dataloader(), data.test_dataloader()]
    found = [[batch["x"][:, 0].tolist() for batch in part] for part in parts if part]
    assert found == [[[0, 1, 2, 3, 4, 5]], [[6, 7]], [[8, 9]]]


def test_an_npz_may_have_a_split_column(tmp_path: Path) -> None:
    file = tmp_path / "table.npz"
    np.savez(file, a=np.arange(3), kind=np.arange(3), part=np.array(["val", "train", "train"]))
    data = ready(file, features=["a"], split_column="part", batch_size=9)
    assert [batch["x"].tolist() for batch in data.train_dataloader()] == [[[1.0], [2.0]]]


def test_fractions_divide_the_rows_by_the_seed(table: Path) -> None:
    data = ready(table, val_fraction=0.2, test_fraction=0.3, batch_size=100)
    parts = [data.train_dataloader(), data.val_dataloader(), data.test_dataloader()]
    rows = [batch["x"][:, 0] for part in parts if part for batch in part]
    assert [len(part) for part in rows] == [5, 2, 3]
    assert sorted(np.concatenate(rows).tolist()) == list(range(10))


def test_standardising_fits_on_the_training_rows_only(table: Path) -> None:
    data = ready(table, split_column="part", standardise=True, batch_size=100)
    (train,) = data.train_dataloader()
    assert train["x"].mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert train["x"].std(axis=0) == pytest.approx([1, 1], abs=1e-6)
    state = data.transform_state()
    assert state == json.loads(json.dumps(state))
    assert state["features"] == ["a", "b"]
    (fitted,) = state["transforms"]
    assert [fitted[name]["mean"] for name in ("a", "b")] == [2.5, 25.5]
    val = data.val_dataloader()
    assert val is not None
    (batch,) = val
    mean, scale = (np.array([fitted[name][key] for name in "ab"]) for key in ("mean", "scale"))
    assert batch["x"] == pytest.approx((np.array([[6, 60.5], [7, 70.5]]) - mean) / scale)


def test_a_constant_column_becomes_zero(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    # The mean of seven times 0.1 is not 0.1 in floating point.
    file.write_text("a,b,kind\n" + "".join(f"0.1,{i},0\n" for i in range(7)))
    data = ready(file, standardise=True, batch_size=7)
    (batch,) = data.train_dataloader()
    assert batch["x"][:, 0].tolist() == [0.0] * 7
    assert data.transform_state()["transforms"][0]["a"] == {"mean": 0.1, "scale": 1.0}


def test_without_transforms_the_features_are_all_there_is_to_know(table: Path) -> None:
    assert ready(table).transform_state() == {"features": ["a", "b"], "transforms": []}


def test_a_missing_column_is_named_with_the_nearest(table: Path) -> None:
    error = refused(table, features=["a", "bb"])
    assert error.parameter == ("features", 1)
    assert "table.csv has no column `bb`" in error.message
    assert error.suggestions[0] == "b"
    assert error.help == "its columns are a, b, kind, part"
    assert refused(table, target="kin").parameter == ("target",)
    assert refused(table, target=["kind", "x"]).parameter == ("target", 1)
    assert refused(table, split_column="prt").parameter == ("split_column",)


def test_another_delimiter_is_suggested_and_works(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text(ROWS.replace(",", ";"))
    assert "set `delimiter`" in refused(file).help
    assert only_batch(file, delimiter=";")["x"].shape == (10, 2)


def test_a_class_that_is_no_integer_is_located(table: Path) -> None:
    error = refused(table, target="b", features=["a"], target_dtype="int64")
    assert error.parameter == ("target_dtype",)
    assert error.message.endswith("table.csv, line 2, column `b`: 0.5 is no int64")


def test_an_integer_that_a_float_cannot_hold_exactly_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,kind\n1,9007199254740993\n2,9007199254740995\n")
    error = refused(file, features=["a"], target_dtype="int64")
    assert "line 2, column `kind`" in error.message
    assert "is no int64" in error.message


def test_a_number_too_large_for_its_dtype_is_located(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b,kind\n1,2,0\n1e300,2,0\n")
    assert "line 3, column `a`: 1e+300 is no float32" in str(refused(file))
    assert only_batch(file, feature_dtype="float64")["x"][1, 0] == 1e300


def test_an_unknown_part_is_located(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,kind,part\n1,0,train\n1,0,valid\n")
    error = refused(file, features=["a"], split_column="part")
    assert "line 3, column `part`: 'valid' is none of train, val, test" in error.message


def test_a_split_column_without_training_rows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,kind,part\n1,0,val\n")
    assert "no row as train" in str(refused(file, features=["a"], split_column="part"))


@pytest.mark.parametrize(
    ("kwargs", "parameter", "message"),
    [
        ({"features": ["a", "kind"]}, ("features",), "`kind` is used twice: in target and in fea"),
        ({"features": ["a", "a"]}, ("features",), "used twice: in features and in features"),
        ({"features": []}, ("features",), "names no column"),
        ({"features": "a"}, ("features",), "must be a list of columns, got 'a'"),
        ({"features": ["a", 3]}, ("features", 1), "must name columns, got 3"),
        ({"target_dtype": "int"}, ("target_dtype",), "float32, float64, int64, got 'int'"),
        ({"delimiter": ", "}, ("delimiter",), "one character"),
        ({"split_column": "part", "val_fraction": 0.1}, ("split_column",), "beside it"),
        ({"standardise": True, "feature_dtype": "int64"}, ("feature_dtype",), "float"),
    ],
)
def test_contradictions_are_refused_before_anything_is_read(
    kwargs: dict[str, Any], parameter: tuple[str | int, ...], message: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        Table(Path("nowhere.csv"), **{"target": "kind", **kwargs})
    assert caught.value.parameter == parameter
    assert message in caught.value.message


def test_a_file_that_is_no_table_by_its_name_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"table\.xlsx is no table by its name"):
        Table(Path("table.xlsx"), target="y").setup("fit")
