"""What `ot data inspect` says of a table, and that what it proposes can be checked and trained."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_trainer.testing.command_line import run_cli

NAMES = ("id", "size", "colour", "born", "odd", "same", "nothing", "label", "price")


def rows(count: int = 120) -> list[str]:
    generator = random.Random(0)
    return [
        ",".join(
            (
                f"row {n:04d} {generator.random()}",
                "NA" if n % 10 == 3 else f"{n / 8}",
                ("red", "blue", "")[n % 3],
                f"2026-01-{1 + n % 28:02d}",
                "x1" if n == 7 else str(n),
                "7",
                "",
                ("cat", "dog")[n % 2],
                str(n * 1.5),
            )
        )
        for n in range(count)
    ]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("\n".join([",".join(NAMES), *rows()]) + "\n")
    return Path("t.csv")


def inspected(*arguments: str) -> dict[str, Any]:
    done = run_cli("data", "inspect", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_column_is_told_as_it_is(table: Path) -> None:
    found = inspected("t.csv")
    columns = {column["name"]: column for column in found["columns"]}
    assert (found["rows"], list(columns)) == (120, list(NAMES))
    assert {name: column["type"] for name, column in columns.items()} == {
        "id": "text",
        "size": "number",
        "colour": "text",
        "born": "date",
        "odd": "text",
        "same": "number",
        "nothing": "empty",
        "label": "text",
        "price": "number",
    }
    assert columns["size"]["missing"] == {"NA": 12}
    assert (columns["size"]["min"], columns["size"]["max"]) == (0.0, 119 / 8)
    assert columns["colour"]["missing"] == {"": 40}
    assert columns["colour"]["distinct"] == {"red": 40, "blue": 40}
    assert (columns["born"]["first"], columns["born"]["last"]) == ("2026-01-01", "2026-01-28")
    assert columns["label"]["distinct"] == {"cat": 60, "dog": 60}


def test_what_is_left_out_is_said_with_the_reason(table: Path) -> None:
    text = run_cli("data", "inspect", "t.csv", "--yaml").stdout
    for remark in (
        "# t.csv: 120 rows; what is learned is the column price\n",
        "# left out: id: it is text with too many values for categories\n",
        "# left out: odd: most of it are numbers, and 'x1' is none\n",
        "# left out: same: it has one value only\n",
        "# left out: nothing: nothing is in it\n",
    ):
        assert remark in text


@pytest.mark.parametrize(("last", "is_left_out"), [(149, True), (150, False), (101, False)])
def test_numbers_that_count_the_rows_are_left_out(
    tmp_path: Path, last: int, is_left_out: bool
) -> None:
    numbers = random.Random(0).sample([*range(100, 149), last], 50)
    lines = [f"{number},{row / 8},{row % 7 / 4}" for row, number in enumerate(numbers)]
    (tmp_path / "t.csv").write_text("\n".join(["number,size,price", *lines]) + "\n")
    text = run_cli("data", "inspect", str(tmp_path / "t.csv"), "--yaml").stdout
    assert ("number: its numbers count the rows" in text) is is_left_out
    assert ("features:" in text) is is_left_out


@pytest.mark.parametrize("target", ["price", "label"])
def test_the_proposed_config_is_checked_trained_and_predicts(table: Path, target: str) -> None:
    made = run_cli("data", "inspect", "t.csv", "--target", target, "--yaml")
    Path("c.yaml").write_text(made.stdout)
    checked = run_cli("check", "c.yaml")
    assert checked.exit_code == 0, checked.stderr
    trained = run_cli("run", "c.yaml", "trainer.max_epochs=2", "run.device=cpu")
    assert trained.exit_code == 0, trained.stderr
    assert trained.stderr == ""
    done = run_cli("predict", "runs/t", "--input", "t.csv", "--output", "out.csv")
    assert done.exit_code == 0, done.stderr
    header, first, *_ = Path("out.csv").read_text().splitlines()
    assert header.startswith(",".join(NAMES) + f",predicted_{target}")
    if target == "label":
        assert header.endswith(",predicted_label,probability_cat,probability_dog")
        label, *probabilities = first.split(",")[-3:]
        assert sum(map(float, probabilities)) == pytest.approx(1)
        assert label == ("cat" if float(probabilities[0]) > 0.5 else "dog")


def test_predicted_classes_are_the_most_probable_and_accurate_as_evaluated(table: Path) -> None:
    lines = ["a,b,kind", *(f"{n % 13},{n % 7},{'yes' if n % 13 > 5 else 'no'}" for n in range(200))]
    Path("k.csv").write_text("\n".join(lines) + "\n")
    Path("c.yaml").write_text(run_cli("data", "inspect", "k.csv", "--yaml").stdout)
    assert run_cli("run", "c.yaml", "trainer.max_epochs=8", "run.device=cpu").exit_code == 0
    values = json.loads(run_cli("evaluate", "runs/k", "--split", "train", "--json").stdout)
    run_cli("predict", "runs/k", "--input", "k.csv", "--output", "out.csv")
    cells = [line.split(",") for line in Path("out.csv").read_text().splitlines()[1:]]
    right = np.array([row[2] == row[3] for row in cells])
    assert 0.7 < values["accuracy"] <= 1
    split = json.loads(Path("runs/k/split.json").read_text())
    parts = {}
    for part in ("train", "val", "test"):
        done = run_cli("evaluate", "runs/k", "--split", part, "--json")
        parts[part] = json.loads(done.stdout)["accuracy"] * split[part]["rows"]
    assert sum(parts.values()) == pytest.approx(right.sum(), abs=1e-3)


def test_parquet_and_npz_are_inspected_as_csv(table: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"a": [1.5, None, 2.5], "when": pa.array([0, 1, 2], pa.date32()), "y": [0, 1, 0]}
    parquet.write_table(pa.table(columns), "t.parquet")
    found = inspected("t.parquet")
    assert [column["type"] for column in found["columns"]] == ["number", "date", "number"]
    assert found["columns"][0]["missing"] == {"": 1}
    assert found["config"]["data"]["columns"]["y"]["categories"] == ["0", "1"]
    np.savez("t.npz", x=np.arange(12.0).reshape(4, 3), y=np.array([1.0, 2.5, 3.0, 4.0]))
    assert [column["known"] for column in inspected("t.npz")["columns"]] == [12, 4]


def test_what_cannot_be_inspected_is_said(table: Path) -> None:
    for arguments, message in (
        (["no.csv"], "no.csv does not exist"),
        (["t.csv", "--target", "labl"], "did you mean `label`"),
        (["t.csv", "--target", "nothing"], "there is nothing to learn"),
    ):
        done = run_cli("data", "inspect", *arguments)
        assert done.exit_code == 2
        assert message in done.stderr
    assert "t.csv: 120 rows" in run_cli("data", "inspect", "t.csv", "--target", "nothing").stdout


def test_the_whole_is_shown_for_people(table: Path) -> None:
    shown = run_cli("data", "inspect", "t.csv").stdout
    assert "t.csv: 120 rows, 9 columns" in shown
    assert "colour\ttext\t40 × ''\t\t2\tred (40), blue (40)\n" in shown
    assert "proposed, to be read and changed:" in shown
