"""`ot evaluate` and `ot predict` use a run as it was trained, and trust nothing that it says."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_trainer.data import table as table_module
from offline_trainer.experiment import run_experiment
from offline_trainer.reproduction.recompose import Caller
from offline_trainer.testing.command_line import run_cli
from offline_trainer.trained.trained_run import TrainedRun, open_trained

MakeConfig = Callable[..., dict[str, Any]]

COLOURS = ("red", "green", "blue")
ROWS = [
    {
        "id": f"row {n}",
        "size": "NA" if n % 11 == 5 else f"{n * 0.7 % 13:.2f}",
        "colour": COLOURS[n * 7 % 3],
        "made": f"20{10 + n % 9}-0{1 + n % 9}-1{n % 9}",
        "price": f"{3 * n % 50 + 20}",
    }
    for n in range(60)
]


def write(file: str, rows: list[dict[str, str]], *, drop: str = "", **change: str) -> Path:
    names = [name for name in rows[0] if name != drop]
    lines = [",".join(names), *(",".join({**row, **change}[n] for n in names) for row in rows)]
    Path(file).write_text("\n".join(lines) + "\n")
    return Path(file)


def read(file: str) -> dict[str, list[str]]:
    with Path(file).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.fixture
def trained(small_config: MakeConfig) -> Path:
    """A run on a table with everything in it, trained in the current folder."""
    write("things.csv", ROWS)
    data = {
        "_type_": "data.table",
        "path": "things.csv",
        "features": ["size", "colour", "made"],
        "target": ["price"],
        "columns": {"colour": {"type": "category"}, "made": {"type": "date"}},
        "missing": ["NA"],
        "transforms": [
            {"_type_": "transform.impute"},
            {"_type_": "transform.one_hot"},
            {"_type_": "transform.standardise", "columns": ["size", "made", "price"]},
        ],
        "split": {"val": 0.2, "test": 0.2, "stratify": "colour"},
    }
    config = small_config(data=data, callbacks=[{"_type_": "cb.ema", "decay": 0.5}, CHECKPOINT])
    layers = config["model"]["sequential"]["layers"]
    layers[0]["in_features"], layers[-1]["out_features"] = 5, 1
    return run_experiment(config).out_dir


CHECKPOINT = {"_type_": "cb.model_checkpoint", "every_n_epochs": 1}


def ot(*arguments: str) -> Any:
    return run_cli(*arguments, "--trust")


def opened(run: Path, *overrides: str) -> TrainedRun:
    return open_trained(str(run), overrides, Caller(trust=True), "ot predict")


def logged(run: Path, stage: str) -> dict[str, float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["stage"] == stage][-1]


@pytest.mark.parametrize("part", ["val", "test"])
def test_evaluating_again_gives_what_the_run_logged(trained: Path, part: str) -> None:
    done = ot("evaluate", str(trained), "--split", part, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    expected = logged(trained, part)
    assert found["loss"] == expected["loss"]
    assert found["mae"] == expected["mae"]
    assert found["step"] == expected["step"]


def test_an_older_checkpoint_can_be_evaluated(trained: Path) -> None:
    older = ot("evaluate", f"{trained}@4", "--json")
    assert older.exit_code == 0, older.stderr
    assert json.loads(older.stdout)["step"] == 4
    assert "test loss" in ot("evaluate", f"{trained}/checkpoints/step-000000000004").stdout


def test_predicting_the_table_equals_the_evaluation_row_for_row(trained: Path) -> None:
    assert (
        ot("predict", str(trained), "--input", "things.csv", "--output", "out.csv").exit_code == 0
    )
    predicted = np.array(read("out.csv")["predicted_price"], dtype=float)
    run = opened(trained)
    run.builder.set_up(run.datamodule)
    data: Any = run.datamodule
    _, parts = data._loaded()
    (price,) = [each["price"] for each in data.transform_state()["transforms"] if "price" in each]
    seen = 0
    for part in ("train", "val", "test"):
        batches = list(data.part_dataloader(part))
        run.start(batches[0])
        outputs = [run.engine.eval_step(batch, "test").outputs.value for batch in batches]
        prices = np.concatenate(outputs)[:, 0] * price["scale"] + price["mean"]
        rows = getattr(parts, part)
        assert predicted[rows] == pytest.approx(prices, rel=1e-12)
        seen += len(rows)
    assert seen == len(ROWS)


def test_columns_are_found_by_name_and_all_of_them_carried_through(trained: Path) -> None:
    assert (
        ot("predict", str(trained), "--input", "things.csv", "--output", "one.csv").exit_code == 0
    )
    turned = [dict(reversed(row.items())) | {"note": "a;b"} for row in ROWS]
    write("turned.csv", turned, drop="price")
    assert (
        ot("predict", str(trained), "--input", "turned.csv", "--output", "two.csv").exit_code == 0
    )
    one, two = read("one.csv"), read("two.csv")
    assert list(two) == ["made", "colour", "size", "id", "note", "predicted_price"]
    assert two["predicted_price"] == one["predicted_price"]
    assert two["id"] == [row["id"] for row in ROWS]
    assert one["price"] == [row["price"] for row in ROWS]


def test_a_file_in_many_pieces_is_predicted_as_in_one(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ot("predict", str(trained), "--input", "things.csv", "--output", "one.csv")
    monkeypatch.setattr(table_module, "_BLOCK_ROWS", 1)
    ot("predict", str(trained), "--input", "things.csv", "--output", "two.csv", "data.batch_size=7")
    one, two = (np.array(read(f)["predicted_price"], float) for f in ("one.csv", "two.csv"))
    assert two == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_arrow_files_are_read_and_written_with_their_types(trained: Path, suffix: str) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import csv, feather, parquet

    ot("predict", str(trained), "--input", "things.csv", "--output", "one.csv")
    nulls = csv.ConvertOptions(null_values=["NA"], column_types={"size": pa.float32()})
    table = csv.read_csv("things.csv", convert_options=nulls)
    write_table = parquet.write_table if suffix == ".parquet" else feather.write_feather
    write_table(table, f"new{suffix}")
    done = ot("predict", str(trained), "--input", f"new{suffix}", "--output", "two.parquet")
    assert done.exit_code == 0, done.stderr
    made = parquet.read_table("two.parquet")
    Path(f"new{suffix}").rename(f"new{suffix.upper()}")
    again = ot("predict", str(trained), "--input", f"new{suffix.upper()}", "--output", "B.CSV.gz")
    assert again.exit_code == 0, again.stderr
    Path(f"new{suffix.upper()}").rename(f"new{suffix}")
    assert made.select(table.column_names).equals(table)
    expected = np.array(read("one.csv")["predicted_price"], float)
    assert made.column("predicted_price").to_numpy() == pytest.approx(expected, rel=1e-6)
    assert ot("predict", str(trained), "--input", "two.parquet", "--output", "x.csv").exit_code == 2
    assert ot("predict", str(trained), "--input", f"new{suffix}", "--output", "x.csv").stdout


def test_a_truncated_input_is_said(trained: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    csv = pytest.importorskip("pyarrow.csv")
    parquet.write_table(csv.read_csv("things.csv"), "new.parquet")
    Path("new.parquet").write_bytes(Path("new.parquet").read_bytes()[:-300])
    done = ot("predict", str(trained), "--input", "new.parquet", "--output", "out.csv")
    assert (done.exit_code, Path("out.csv").exists()) == (2, False)
    assert "new.parquet is damaged" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "gren"}, "new.csv, line 2, column `colour`: 'gren' is none of its categories"),
        ({"colour": "gren"}, "did you mean `green`"),
        ({"size": "big"}, "new.csv, line 2, column `size`: 'big' is not a number"),
        ({"size": ""}, "new.csv, line 2, column `size`: the cell is empty"),
        ({"made": "May 5"}, "new.csv, line 2, column `made`: 'May 5' is no date"),
        ({"colour": "NA"}, "new.csv, line 2, column `colour`: the value is missing"),
        ({"drop": "made"}, "new.csv has no column `made`"),
    ],
)
def test_what_cannot_be_predicted_is_said_and_nothing_is_written(
    trained: Path, change: dict[str, str], message: str
) -> None:
    write("new.csv", ROWS, **change)  # type: ignore[arg-type]
    before = sorted(Path().rglob("*"))
    done = ot("predict", str(trained), "--input", "new.csv", "--output", "out.csv")
    assert done.exit_code == 2
    assert message in done.stderr
    assert "config.resolved.yaml" not in done.stderr
    assert sorted(Path().rglob("*")) == before


def test_an_error_far_down_leaves_the_earlier_output_as_it_was(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "_BLOCK_ROWS", 1)
    Path("out.csv").write_text("from before")
    write("new.csv", [*ROWS, {**ROWS[0], "colour": "pink"}])
    done = ot("predict", str(trained), "--input", "new.csv", "--output", "out.csv")
    assert (done.exit_code, Path("out.csv").read_text()) == (2, "from before")
    assert "new.csv, line 62, column `colour`: 'pink'" in done.stderr


def test_only_the_output_is_written(trained: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file()}
    ot("evaluate", str(trained))
    ot("predict", str(trained), "--input", "things.csv", "--output", "out.csv")
    after = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file()}
    assert {path for path in after if after[path] != before.get(path)} == {Path("out.csv")}
    assert not before.keys() - after.keys()


def test_the_training_file_is_not_needed_to_predict(trained: Path) -> None:
    write("new.csv", ROWS[:3])
    Path("things.csv").unlink()
    done = ot("predict", str(trained), "--input", "new.csv", "--output", "out.csv")
    assert done.stdout == "predicted 3 rows into out.csv\n", done.stderr


def test_what_was_fitted_stays_when_the_data_is_another(trained: Path) -> None:
    write("things.csv", ROWS[:30])
    done = ot("evaluate", str(trained), "--json")
    assert "other samples are in the test part than when the run was trained" in done.stderr
    fitted = json.loads((trained / "transforms.json").read_text())
    run = opened(trained)
    run.builder.set_up(run.datamodule)
    data: Any = run.datamodule
    assert data.transform_state() == fitted


def test_a_runs_own_imports_need_trust(trained: Path) -> None:
    for arguments in (("evaluate",), ("predict", "--input", "things.csv", "--output", "out.csv")):
        done = run_cli(arguments[0], str(trained), *arguments[1:])
        assert done.exit_code == 2
        assert "imports" in done.stderr
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"features": ["size"], "transforms": []}',
        '{"features": [1], "transforms": [{}, {}, {}]}',
        '{"features": ["size", "colour", "made"], "transforms": [{}, {}, 3]}',
        '{"features": ["size", "colour", "made"], "transforms": [{"size": 3}, {}, {}]}',
        '{"features": ["size", "colour", "made"], "transforms": [{"size": {}}, {}, {}]}',
    ],
)
def test_fitted_values_that_are_none_are_an_error_and_never_a_traceback(
    trained: Path, content: str
) -> None:
    (trained / "transforms.json").write_text(content)
    done = ot("predict", str(trained), "--input", "things.csv", "--output", "out.csv")
    assert done.exit_code == 2, done.stderr
    assert not Path("out.csv").exists()


def test_a_column_that_is_called_as_a_prediction_is_refused(trained: Path) -> None:
    write("new.csv", [{**row, "predicted_price": "1"} for row in ROWS])
    done = ot("predict", str(trained), "--input", "new.csv", "--output", "out.csv")
    assert done.exit_code == 2
    assert "new.csv has a column `predicted_price`" in done.stderr


def test_what_is_no_output_or_no_run_is_said(trained: Path) -> None:
    for output in ("out.xlsx", "no/folder/out.csv"):
        done = ot("predict", str(trained), "--input", "things.csv", "--output", output)
        assert done.exit_code == 2
        assert output in done.stderr
    assert ot("evaluate", "nowhere").exit_code == 2


def test_data_without_such_a_part_is_said(trained: Path) -> None:
    done = ot("evaluate", str(trained), "~data.split.test")
    assert done.exit_code == 2
    assert "has no test part" in done.stderr
