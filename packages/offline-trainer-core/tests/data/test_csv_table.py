"""Reading CSV strictly: what is accepted, and the one clear error for everything else."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_constructor.errors import ParameterError
from offline_trainer.data.csv_table import CsvTable


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def all_numbers(file: Path) -> None:
    table = CsvTable(file)
    table.numbers(table.names)


def refused(file: Path) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        all_numbers(file)
    assert caught.value.parameter == ("path",)
    assert str(file) in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n-3.5,4e2\n",
        "a,b\n1,2\n-3.5,4e2",
        "a,b\r\n1,2\r\n-3.5,4e2\r\n",
        "a,b\r1,2\r-3.5,4e2\r",
        "\ufeffa,b\n1,2\n-3.5,4e2\n\n\n",
        ' a , b\n 1,2 \n-3.5,"4e2"\n',
        '"a","b"\n1,"2"\n-3.5,400\n',
    ],
)
def test_the_usual_spellings_of_a_file_are_read_alike(tmp_path: Path, content: str) -> None:
    table = CsvTable(written(tmp_path, content))
    assert table.names == ("a", "b")
    assert len(table) == 2
    numbers = table.numbers(["b", "a"])
    assert numbers["a"].tolist() == [1.0, -3.5]
    assert numbers["b"].tolist() == [2.0, 400.0]


def test_text_beside_the_asked_columns_does_not_matter(tmp_path: Path) -> None:
    table = CsvTable(written(tmp_path, 'name,a\n"Doe, J.\nsen.",1\n,2\n'))
    assert table.numbers(["a"])["a"].tolist() == [1.0, 2.0]
    assert table.texts(["name"])["name"] == ["Doe, J.\nsen.", ""]
    assert table.place(1).endswith("t.csv, line 4")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)),
        min_size=1,
        max_size=30,
    )
)
def test_both_ways_of_parsing_give_the_exact_numbers(rows: list[tuple[float, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{number!r},{integer}" for number, integer in rows]
        plain = CsvTable(written(Path(folder), "\n".join(["a,b", *lines])))
        quoted = CsvTable(written(Path(folder), "\n".join(['"a",b', *lines]), "q.csv"))
        expected = np.array(rows, dtype=np.float64)
        for table in (plain, quoted):
            numbers = table.numbers(["a", "b"])
            assert np.array_equal(numbers["a"], expected[:, 0])
            assert np.array_equal(numbers["b"], expected[:, 1])


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("n/a", "'n/a' is not a number"),
        ("", "the cell is empty"),
        ("  ", "the cell is empty"),
        ("nan", "'nan' is not a finite number"),
        ("-Infinity", "'-Infinity' is not a finite number"),
        ("1e999", "'1e999' is not a finite number"),
        ("1_000", "'1_000' is not a number"),
        ("٣", "'٣' is not a number"),
        ("0x1F", "'0x1F' is not a number"),
        ("#5", "'#5' is not a number"),
    ],
)
def test_a_bad_cell_is_named_by_line_column_and_text(
    tmp_path: Path, cell: str, problem: str, quote: str
) -> None:
    file = written(tmp_path, f"a,{quote}age{quote}\n1,2\n3,{quote}{cell}{quote}\n5,6\n")
    assert refused(file).message == f"{file}, line 3, column `age`: {problem}"


def test_lines_are_counted_in_the_file_and_not_in_rows(tmp_path: Path) -> None:
    file = written(tmp_path, 'a,b\n1,"two\nlines"\n3,4\n')
    with pytest.raises(ParameterError, match="line 2, column `b`: 'two"):
        CsvTable(file).numbers(["b"])
    file = written(tmp_path, '"a\nb",c\n1,2\nx,4\n')
    with pytest.raises(ParameterError, match="line 4, column `a\nb`: 'x'"):
        CsvTable(file).numbers(["a\nb"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty; expected a header and rows"),
        ("\n\n", "is empty; expected a header and rows"),
        ("a,b\n", "has a header and no rows"),
        ("a,b\n1,2\n3\n", "is ragged: line 3 has 1 cells, the header has 2"),
        ("a,b\n1,2,9\n3,4,9\n", "is ragged: line 2 has 3 cells, the header has 2"),
        ("a,b\n1,2\n\n3,4\n", "is ragged: line 3 has 0 cells, the header has 2"),
        ("a\n1\n\n3\n", "is ragged: line 3 has 0 cells, the header has 1"),
        ('a,b\n1,"2\n3,4\n', "is not valid CSV at line 2: unexpected end of data"),
        ("a,b,a\n1,2,3\n", "has two columns named `a`: 1 and 3"),
        (b"a,b\n1,2\n\xe9,4\n", "is not UTF-8 text: byte 0xe9 in line 3"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    file = written(tmp_path, content)
    assert refused(file).message == f"{file} {problem}"


def test_a_missing_file_is_named_with_the_nearest_in_its_folder(tmp_path: Path) -> None:
    written(tmp_path, "a\n1\n", "digits.csv.gz")
    error = refused(tmp_path / "digit.csv.gz")
    assert error.message.endswith("digit.csv.gz does not exist")
    assert error.suggestions == ("digits.csv.gz",)
    assert "nor does its folder" in refused(tmp_path / "no" / "digits.csv").message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    assert "cannot be read: Is a directory" in refused(tmp_path / "t.csv").message


def test_gzip_is_told_by_the_name(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n1,2\n")
    assert len(CsvTable(written(tmp_path, packed, "t.csv.gz"))) == 1
    assert "is not a gzip file" in refused(written(tmp_path, "a\n1\n", "u.csv.gz")).message
    assert "is damaged" in refused(written(tmp_path, packed[:-9], "v.csv.gz")).message
    assert "let its name end in .gz" in refused(written(tmp_path, packed, "w.csv")).help


@pytest.mark.parametrize("position", range(10, 28, 3))
def test_a_damaged_gzip_file_is_an_error_and_never_a_traceback(
    tmp_path: Path, position: int
) -> None:
    packed = bytearray(gzip.compress(b"a,b\n1,2\n"))
    packed[position] ^= 0x5A
    refused(written(tmp_path, bytes(packed), "t.csv.gz"))
