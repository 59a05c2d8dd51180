"""Bad data ends `ot run` with one message that names file, row and column, before it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offline_trainer.data import table_files
from offline_trainer.testing.command_line import run_cli

MakeConfig = Callable[..., dict[str, Any]]

GOOD = "a,b,c,kind,part,y\n" + "".join(
    f"{n},{n * 2},{n % 5},{'red' if n % 2 else 'blue'},{'train' if n < 15 else 'test'},{n}\n"
    for n in range(20)
)
TABLE: dict[str, Any] = {
    "_type_": "data.table",
    "path": "t.csv",
    "target": ["y"],
    "features": ["a", "b", "c", "kind"],
    "columns": {"kind": {"type": "category"}},
    "transforms": [{"_type_": "transform.ordinal"}],
    "split": {"column": "part"},
}


def replaced(old: str, new: str) -> bytes:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new).encode()


CASES: dict[str, tuple[bytes | None, dict[str, Any], list[str]]] = {
    "missing file": (None, {"path": "tt.csv"}, ["tt.csv does not exist", "did you mean `t.csv`"]),
    "missing column": (
        None,
        {"features": ["a", "bb"]},
        ["t.csv has no column `bb`", "did you mean `b`", "its columns are a, b, c, kind, part, y"],
    ),
    "text in a number column": (
        replaced("3,6,3,", "3,six,3,"),
        {},
        ["t.csv, line 5, column `b`: 'six' is not a number"],
    ),
    "a category that was not in training": (
        replaced("16,32,1,blue", "16,32,1,bleu"),
        {},
        ["t.csv, line 18, column `kind`: 'bleu' is none of its categories", "did you mean `blue`"],
    ),
    "a category that is not declared": (
        replaced("6,12,1,blue", "6,12,1,bleu"),
        {"columns": {"kind": {"type": "category", "categories": ["red", "blue"]}}},
        ["t.csv, line 8, column `kind`: 'bleu' is none of its categories red, blue"],
    ),
    "an empty split": (
        None,
        {"split": {"groups": "kind", "val": 0.3, "test": 0.3}},
        ["the train part has no row of the 20 in 2 groups"],
    ),
    "an unknown part": (
        replaced("7,14,2,red,train", "7,14,2,red,trian"),
        {},
        ["t.csv, line 9, column `part`: 'trian' is none of train, val, test"],
    ),
    "NaN": (
        replaced("3,6,3,", "3,nan,3,"),
        {},
        ["t.csv, line 5, column `b`: 'nan' is not a finite number"],
    ),
    "an empty cell": (
        replaced("3,6,3,", "3,,3,"),
        {},
        ["t.csv, line 5, column `b`: the cell is empty", "missing: "],
    ),
    "a missing value that nothing fills": (
        replaced("3,6,3,", "3,NA,3,"),
        {"missing": ["NA"]},
        ["t.csv, line 5, column `b`: the value is missing", "transform.impute"],
    ),
    "two columns of one name": (
        replaced("a,b,c", "a,b,a"),
        {},
        ["t.csv has two columns named `a`: 1 and 3"],
    ),
    "mixed encodings": (
        replaced("9,18,4,red", "9,18,4,r€d").replace("r€d".encode(), "réd".encode("latin-1")),
        {},
        ["t.csv is not UTF-8 text: byte 0xe9 in line 11"],
    ),
    "a ragged line": (
        replaced("3,6,3,", "3,6,3,3,"),
        {},
        ["t.csv is ragged: line 5 has 7 cells, the header has 6"],
    ),
    "no transform for a category": (None, {"transforms": []}, ["column `kind` holds categories"]),
    "a transform for another kind of column": (
        None,
        {"transforms": [{"_type_": "transform.standardise", "columns": ["kind"]}]},
        ["column `kind` holds categories here; Standardise takes numbers"],
    ),
    "a transform for a column that is not there": (
        None,
        {"transforms": [{"_type_": "transform.standardise", "columns": ["aa"]}]},
        ["`aa` is neither a feature nor the target", "did you mean `a`"],
    ),
    "no transform": (
        None,
        {"transforms": [{"_type_": "io.mapping"}]},
        ["MappingIo is no transform"],
    ),
    "a transform of images": (
        None,
        {"transforms": [{"_type_": "transform.flip"}]},
        ["Flip is no transform of columns: it has no fit()"],
    ),
    "no date": (
        None,
        {"columns": {"kind": {"type": "date"}}, "transforms": []},
        ["t.csv, line 2, column `kind`: 'blue' is no date such as %Y-%m-%d"],
    ),
    "an unknown type": (
        None,
        {"columns": {"kind": {"type": "categry"}}},
        ["type must be one of number, category, date", "did you mean `category`"],
    ),
    "a declaration of no column": (
        None,
        {"columns": {"knd": {"type": "category"}}},
        ["t.csv has no column `knd`", "did you mean `kind`"],
    ),
}


@pytest.mark.parametrize("reader", ["with pyarrow", "without pyarrow"])
@pytest.mark.parametrize("case", CASES)
def test_bad_data_is_one_clear_message_before_a_run_directory_exists(
    case: str, reader: str, small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reader == "without pyarrow":
        monkeypatch.setattr(table_files, "has_arrow", lambda: False)
    monkeypatch.setattr(table_files, "FAST_FROM_BYTES", 0)
    content, change, said = CASES[case]
    Path("t.csv").write_bytes(GOOD.encode() if content is None else content)
    config = small_config(data={**TABLE, **change})
    config["model"]["sequential"]["layers"][-1]["out_features"] = 1
    Path("c.yaml").write_text(json.dumps(config))
    done = run_cli("run", "c.yaml")
    assert done.exit_code == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error") == 1
    for text in said:
        assert text in done.stderr
    assert sorted(path.name for path in Path().iterdir()) == ["c.yaml", "t.csv"]


def test_the_good_table_is_trained_on(small_config: MakeConfig) -> None:
    Path("t.csv").write_text(GOOD)
    config = small_config(data=TABLE)
    config["model"]["sequential"]["layers"][-1]["out_features"] = 1
    Path("c.yaml").write_text(json.dumps(config))
    assert run_cli("run", "c.yaml").exit_code == 0


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_a_truncated_file_is_said(suffix: str, small_config: MakeConfig) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    table = pa.table({name: list(range(200)) for name in "abcdy"})
    file = Path(f"t{suffix}")
    parquet.write_table(table, file) if suffix == ".parquet" else feather.write_feather(table, file)
    file.write_bytes(file.read_bytes()[:-100])
    Path("c.yaml").write_text(
        json.dumps(small_config(data={"_type_": "data.table", "path": file.name, "target": ["y"]}))
    )
    done = run_cli("run", "c.yaml")
    assert done.exit_code == 2
    assert f"{file.name} is damaged or of another format" in done.stderr
    assert not Path("run").exists()
