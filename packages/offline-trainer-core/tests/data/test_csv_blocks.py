"""A CSV file read in pieces is what it is when read whole: values, places, and what is wrong."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model_constructor.errors import ParameterError
from offline_trainer.data.csv_table import CsvTable

QUOTED = ['"3"', '"a,b"', '"two\nlines"', '"a ""b"""', 'c"d']
CELLS = st.sampled_from(["1", "-2.5", "x", "", " 7 ", *QUOTED])
LINES = st.lists(CELLS, min_size=2, max_size=2).map(",".join)
ODD_LINES = st.sampled_from(["", "1", "1,2,3", '"', '"a"b,1', ","])
FILES = st.builds(
    lambda header, lines, end: end.join([header, *lines]) + end,
    st.sampled_from(["a,b", '"a",b', '"a\nb",c', "\ufeffa,b"]),
    st.lists(LINES, max_size=9) | st.lists(LINES | ODD_LINES, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)


def rows_of(table: CsvTable) -> list[tuple[str, ...]]:
    texts = table.texts(table.names)
    cells = zip(*(texts[name] for name in table.names), strict=True)
    return [(table.place(row), *map(str, each)) for row, each in enumerate(cells)]


@settings(max_examples=400, deadline=None)
@given(FILES, st.integers(1, 4))
@example('a,b\n1,2\n3,4\n"5",6\n7,8\n', 2)
@example("a,b\n1,2\n\n3,4\n", 1)
def test_pieces_are_what_the_whole_is(content: str, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        file.write_bytes(content.encode())
        whole = outcome(lambda: [CsvTable(file)])
        pieces = outcome(lambda: list(CsvTable.blocks(file, ",", rows)))
        assert pieces == whole


def outcome(read: Callable[[], list[CsvTable]]) -> list[tuple[str, ...]] | str:
    """The rows of tables with their places, or what is wrong with the file."""
    try:
        return [row for table in read() for row in rows_of(table)]
    except ParameterError as error:
        return error.message


@pytest.mark.parametrize("quoted", [False, True])
def test_each_piece_has_as_many_rows_as_asked_for(quoted: bool, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    cell = '"x"' if quoted else "x"
    file.write_text("a,b\n" + "".join(f"{n},{cell}\n" for n in range(10)))
    assert [len(piece) for piece in CsvTable.blocks(file, ",", 4)] == [4, 4, 2]


def test_nothing_is_read_before_it_is_reached(tmp_path: Path) -> None:
    file = tmp_path / "t.csv.gz"
    lines = ["a,b", *(f"{n},x" for n in range(200_000)), "1,2,3"]
    file.write_bytes(gzip.compress("\n".join(lines).encode(), 1))
    pieces = CsvTable.blocks(file, ",", 1000)
    assert len(next(pieces)) == 1000
    with pytest.raises(ParameterError, match="is ragged: line 200002 has 3 cells"):
        list(pieces)


def test_bytes_that_are_no_text_are_located(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"a,b\n" + b"1,2\n" * 50_000 + b"\xe9,2\n")
    with pytest.raises(ParameterError, match=r"not UTF-8 text: byte 0xe9 in line 50002$"):
        list(CsvTable.blocks(file, ",", 100))
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(file.read_bytes())[:-30])
    with pytest.raises(ParameterError, match="is damaged"):
        list(CsvTable.blocks(packed, ",", 100))
