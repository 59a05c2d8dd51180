"""CSV by pyarrow: the same values and the same errors as without it, whatever is in the file."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model_constructor.errors import ParameterError
from offline_trainer.data.csv_arrow import FastCsvTable, _plain
from offline_trainer.data.csv_table import CsvTable

pytest.importorskip("pyarrow")

TRICKY = """
1 -3.5 4e2 1e308 1e309 nan NaN inf -Infinity NULL NA null 0x1F 1_000 +5 .5 5. 1e 1d5 007 1,000 #5 ٣
true 9007199254740993 5e-324 0.1 1.7976931348623159e308 - -0
"""
CELLS = st.sampled_from([*TRICKY.split(), "", " ", "  2 ", "a b", '"3"', '4"', "\t5"])
QUOTED = st.sampled_from(
    [
        '"3"',
        '"-4.5"',
        '""',
        '" 6 "',
        '"NA"',
        '"7,5"',
        '"a""b"',
        '"x"y',
        ' "8"',
        '"é"',
        '"9\n9"',
        '"',
        "2",
    ]
)
LINES = st.lists(CELLS | QUOTED, min_size=1, max_size=4).map(",".join)
FILES = st.builds(
    lambda header, lines, end, last: end.join([header, *lines]) + last,
    st.sampled_from(["a,b", ' a , "b"', "a,b,c", "a", "a,a", "a,é", "\ufeffa,b"]),
    st.lists(LINES | st.sampled_from(["", "1,2", "3,4", "5,6"]), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\n", "\n\n"]),
)
MISSING = st.sampled_from([(), ("",), ("NA", ""), ("nan",), ("-3.5", "4e2"), ("NULL", "1")])


def outcome(reader: Any, file: Path, missing: tuple[str, ...]) -> list[Any]:
    """Everything that a table says of a file: what is in it, or what is wrong with it."""
    try:
        table = reader(file)
        said: list[Any] = [table.names, table.place(1) if len(table) > 1 else ""]
    except ParameterError as error:
        return [error.message, error.help]
    for read in (
        lambda: table.texts(table.names),
        lambda: {
            name: each.tobytes() for name, each in table.numbers(table.names, missing).items()
        },
        lambda: table.numbers(table.names[-1:], missing)[table.names[-1]].tobytes(),
        lambda: len(table),
    ):
        try:
            said.append(read())
        except ParameterError as error:
            said.append([error.message, error.help])
    return said


@settings(max_examples=400, deadline=None)
@given(FILES, MISSING)
@example("a,b\n1,2\n3,4\n", ())
@example("a,b\n1,\n,4\n", ("",))
@example("a,b\n1,NA\nnan,4\n", ("NA",))
@example('a,b\n1,"2\n3"\n', ())
@example('a,b\n"1","2"\n3,"4"\n', ())
@example('a,b\n"1","","2"\n', ())
@example('a,b\n"1,5","2"\n"","4"\n', ("",))
@example('a,b\n"1""","2"\n', ())
@example("a,b\n1,2\r3,4\n", ())
def test_both_ways_of_reading_say_the_same(content: str, missing: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        file.write_bytes(content.encode())
        fast, strict = outcome(FastCsvTable, file, missing), outcome(CsvTable, file, missing)
        if len(strict) == 2 and len(fast) > 2:  # refused as a whole; so is then whatever is read
            assert fast[2:5] == [strict] * 3
        elif len(strict) > 2 or len(fast) > 2:  # of two mistakes, either may be found first
            assert fast == strict


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_numbers_are_the_same_to_the_last_bit(values: list[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        file.write_text("a,b\n" + "".join(f"{value!r},{value:.18e}\n" for value in values))
        table = FastCsvTable(file)
        read = table.numbers(["a", "b"])
        assert table._plain is not None  # by pyarrow, indeed
        assert read["a"].tobytes() == np.array(values).tobytes()
        assert read["b"].tobytes() == CsvTable(file).numbers(["b"])["b"].tobytes()


def test_cells_in_quotes_are_read_by_pyarrow_too(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    lines = [f'"{n}",{n / 7},"a, b"' for n in range(100_000)]
    file.write_text('"x","y","z"\n' + "\n".join(lines))
    table = FastCsvTable(file)
    numbers = table.numbers(["x", "y"])
    assert table.texts(["z"]) == {"z": ["a, b"] * 100_000}
    assert table._plain is not None
    assert numbers["x"].tolist() == list(range(100_000))
    assert numbers["y"].tobytes() == (np.arange(100_000) / 7).tobytes()
    lines[70_000] = '"1","two",3'
    file.write_text('"x","y","z"\n' + "\n".join(lines))
    with pytest.raises(ParameterError, match="line 70002, column `y`: 'two' is not a number"):
        FastCsvTable(file).numbers(["y"])


@pytest.mark.parametrize(
    ("line", "is_plain"),
    [
        (b'1,"2"', True),
        (b'"1,1",2', True),
        (b'"1",""\r', True),
        (b'1,2"', False),
        (b'"1"2,3', False),
        (b'"1""1",2', False),
        (b'"1', False),
        (b'"1\n","2"', False),
        (b"1,2\r3", False),
        (b"1,\0", False),
        (b"", False),
        (b"\r", False),
    ],
)
def test_a_line_that_may_mean_two_things_is_seen(
    line: bytes, is_plain: bool, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    for before, after in ((b"", b"\n1,2"), (b"1,2\n" * 300_000, b"\n1,2\n")):
        file.write_bytes(b"a,b\n" + before + line + after)
        assert (_plain(file, ",") is not None) == is_plain


@pytest.mark.parametrize("place", [0, 70_000])
def test_other_encodings_are_found_wherever_they_are(tmp_path: Path, place: int) -> None:
    lines = [b"a,b", *(b"%d,x" % n for n in range(100_000))]
    lines[place + 1] = "7,é".encode("latin-1")
    file = tmp_path / "t.csv"
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(ParameterError, match=f"not UTF-8 text: byte 0xe9 in line {place + 2}$"):
        FastCsvTable(file).numbers(["a"])


def test_packed_files_are_read_as_others(tmp_path: Path) -> None:
    rows = "a,b\n" + "".join(f"{n},{n / 7}\n" for n in range(200_000))
    packed, plain = tmp_path / "t.csv.gz", tmp_path / "t.csv"
    packed.write_bytes(gzip.compress(rows.encode(), 1))
    plain.write_text(rows)
    table = FastCsvTable(packed)
    numbers = table.numbers(["a", "b"])
    assert table._plain is not None
    assert len(table) == 200_000
    for name, values in FastCsvTable(plain).numbers(["a", "b"]).items():
        assert values.tobytes() == numbers[name].tobytes()
    packed.write_bytes(packed.read_bytes()[:-2000])
    with pytest.raises(ParameterError, match="is damaged"):
        FastCsvTable(packed)
