"""`data.text`: blocks of text files, divided without a leak, and the numbers of their symbols."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_constructor.errors import ParameterError
from offline_trainer.data import text_files
from offline_trainer.data.split import read_split
from offline_trainer.data.text import Text
from offline_trainer.data.text_blocks import block_starts
from offline_trainer.data.text_split import segments


def folder_of(tmp_path: Path, **texts: str | bytes) -> Path:
    folder = tmp_path / "texts"
    for name, text in texts.items():
        file = folder / f"{name.replace('_', '/')}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def ready(path: Path, **options: Any) -> Text:
    data = Text(path, **options)
    data.setup("fit")
    return data


def rows(batches: Any) -> Iterator[tuple[list[int], list[int]]]:
    for batch in batches or ():
        for x, y in zip(batch["x"], batch["y"], strict=True):
            yield x.tolist(), y.tolist()


def refused(path: Path, **options: Any) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        ready(path, **options)
    return caught.value


def test_each_symbol_of_a_block_comes_with_the_next_one(tmp_path: Path) -> None:
    file = folder_of(tmp_path, a=bytes(range(14))) / "a.txt"
    data = ready(file, block_length=4, shuffle=False, batch_size=2)
    loader = data.train_dataloader()
    assert len(loader) == 2
    first, second = loader
    assert first["x"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert first["y"].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert second["x"].tolist() == [[8, 9, 10, 11]]  # 13 has no next one
    assert first["x"].dtype == first["y"].dtype == np.dtype(np.int64)
    assert data.input_files() == [file]


def test_a_stride_makes_more_blocks_of_training_alone(tmp_path: Path) -> None:
    file = folder_of(tmp_path, a=bytes(range(20))) / "a.txt"
    data = ready(file, block_length=4, stride=2, val_fraction=0.5, shuffle=False)
    assert [x[0] for x, _ in rows(data.train_dataloader())] == [0, 2, 4]
    assert [x[0] for x, _ in rows(data.val_dataloader())] == [10, 14]
    assert data.test_dataloader() is None


def test_no_block_reaches_into_another_file(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a=b"\1" * 7, b=b"", c=b"\2" * 3, d=b"\3" * 9)
    data = ready(path, block_length=3, shuffle=False)
    assert [x + y for x, y in rows(data.train_dataloader())] == [[1] * 6] * 2 + [[3] * 6] * 2


SPLITS = st.sampled_from(
    [
        {"val": 0.2, "test": 0.3},
        {"test": 0.5},
        {"val": 0.3, "groups": "file"},
        {"val": 0.2, "test": 0.4, "groups": "file"},
        {"kfold": 3, "fold": 1, "val": 0.2, "groups": "file"},
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=9),
    SPLITS,
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 5),
)
def test_no_symbol_is_in_two_parts(
    lengths: list[int], given_split: dict[str, Any], length: int, stride: int, seed: int
) -> None:
    first = np.cumsum([0, *lengths], dtype=np.int64)
    divided = segments(read_split(given_split, 0, 0, None), lengths, seed)
    starts, part_of = block_starts(divided, first[:-1], length, stride)
    seen: list[set[int]] = [set(), set(), set()]
    for start, part in zip(starts.tolist(), part_of.tolist(), strict=True):
        block = set(range(start, start + length + 1))  # the next symbols as well
        assert any(low <= start and start + length < high for low, high in pairwise(first))
        seen[part] |= block
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    if "groups" in given_split:
        assert len({(each.file, each.part) for each in divided}) == len(lengths)


def test_fractions_cut_the_end_off_the_text_and_groups_choose_files(tmp_path: Path) -> None:
    path = folder_of(tmp_path, **{name: name.encode() * 40 for name in "abcdefghij"})
    data = ready(path, block_length=4, split={"val": 0.1, "test": 0.2})
    assert {x[0] for x, _ in rows(data.val_dataloader())} == {ord("h")}
    assert {x[0] for x, _ in rows(data.test_dataloader())} == {ord("i"), ord("j")}
    chosen = []
    for seed in range(4):
        data = ready(path, block_length=4, split={"test": 0.2, "groups": "file"}, seed=seed)
        tested = {x[0] for x, _ in rows(data.test_dataloader())}
        assert len(tested) == 2
        assert not tested & {x[0] for x, _ in rows(data.train_dataloader())}
        chosen.append((tested, data.split_state()["test"]["sha256"]))
    assert len({hash for _, hash in chosen}) == len({tuple(sorted(each)) for each, _ in chosen}) > 1


def test_characters_are_those_of_the_training_part(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a="abcé\nab€d\n" * 3)
    data = ready(path / "a.txt", level="character", block_length=4, val_fraction=0.3)
    assert data.transform_state() == {"characters": "\nabcdé€"}
    assert next(rows(data.val_dataloader())) == ([2, 3, 5, 0], [3, 5, 0, 1])


def test_a_character_that_is_not_known_is_told_with_its_place(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a="abc\n" * 8 + "abc\nab\N{EURO SIGN}\n")
    error = refused(path, level="character", block_length=2, test_fraction=0.2)
    place = f"{path / 'a.txt'}:10:3: the character '€' (U+20AC) is not in the training part"
    assert error.message == place
    assert error.parameter == ("unknown",)
    known = ready(path, level="character", block_length=2, test_fraction=0.2, unknown="?")
    assert known.transform_state() == {"characters": "\n?abc"}
    assert 1 in {number for x, y in rows(known.test_dataloader()) for number in x + y}


def test_the_most_frequent_characters_are_kept(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a="aaaabbbccd" * 2)
    options = {"level": "character", "block_length": 2, "vocabulary_size": 3}
    assert (
        "has 4 different characters, and vocabulary_size is 3" in refused(path, **options).message
    )
    data = ready(path, **options, unknown="?", shuffle=False)
    assert data.transform_state() == {"characters": "?ab"}
    x, _ = next(rows(data.train_dataloader()))
    assert x == [1, 1]
    assert 0 in {number for x, _ in rows(data.train_dataloader()) for number in x}


def test_what_is_known_is_stored_and_used_again(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a="abcabcabc" * 3)
    data = ready(path, level="character", block_length=2)
    other = Text(folder_of(tmp_path / "o", a="cacaca"), level="character", block_length=2)
    other.load_transform_state(json.loads(json.dumps(data.transform_state())))
    other.setup("fit")
    assert other.transform_state() == {"characters": "abc"}
    assert {n for x, _ in rows(other.train_dataloader()) for n in x} == {0, 2}
    for state in (None, {}, {"characters": None}, {"characters": "aa"}, {"characters": ""}):
        with pytest.raises(ValueError, match="expected"):
            other.load_transform_state(state)
    with pytest.raises(ValueError, match="at this level"):
        Text(path).load_transform_state({"characters": "abc"})


def test_order_depends_on_seed_and_epoch_and_goes_on_in_the_middle(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a=bytes(range(200)))

    def epochs(data: Text) -> list[list[int]]:
        return [[x[0] for x, _ in rows(data.train_dataloader())] for _ in range(2)]

    data = ready(path, block_length=3, batch_size=4, seed=1)
    first, second = epochs(data)
    assert sorted(first) == sorted(second) == list(range(0, 197, 3))
    assert len({tuple(first), tuple(second), tuple(sorted(first))}) == 3
    again = ready(path, block_length=3, batch_size=4, seed=1)
    again.set_position(1, 2)
    assert [x[0] for x, _ in rows(again.train_dataloader())] == second[8:]


def test_a_large_file_is_mapped_and_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder_of(tmp_path, a=bytes(range(100)))
    expected = list(rows(ready(path, block_length=5).train_dataloader()))
    monkeypatch.setattr(text_files, "_MAPPED_FROM_BYTES", 50)
    assert not text_files.read_bytes(path / "a.txt").flags.owndata
    assert list(rows(ready(path, block_length=5).train_dataloader())) == expected


def test_patterns_choose_the_files_of_a_folder(tmp_path: Path) -> None:
    path = folder_of(tmp_path, b=b"b" * 9, a=b"a" * 9, sub_c=b"c" * 9)
    (path / "d.md").write_bytes(b"d" * 9)

    def found(*pattern: str) -> list[str]:
        data = ready(path, block_length=4, pattern=list(pattern))
        return [file.name for file in data.input_files()]

    assert found("*.txt") == ["a.txt", "b.txt"]
    assert found("**/*.txt") == ["a.txt", "b.txt", "c.txt"]
    assert found("sub/*", "*.md", "a*") == ["a.txt", "d.md", "c.txt"]
    assert refused(path, pattern="*.rst").parameter == ("pattern",)
    assert "is no pattern" in refused(path, pattern="/etc/*").message
    error = refused(path / "sub", pattern="../*.txt")
    assert "leads out of the folder" in error.message
    assert error.parameter == ("pattern",)


def test_hidden_files_are_left_out_unless_the_pattern_names_them(tmp_path: Path) -> None:
    path = folder_of(tmp_path / ".above", a=b"a" * 9)
    for name in (".b.txt", ".kept/a-1.txt", ".kept/.deep/c.txt"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"b" * 9)

    def found(pattern: str) -> list[str]:
        files = ready(path, block_length=4, pattern=pattern).input_files()
        return [file.relative_to(path).as_posix() for file in files]

    assert found("**/*.txt") == ["a.txt"]
    assert found(".*.txt") == [".b.txt"]
    assert found(".kept/**/*.txt") == [".kept/a-1.txt"]
    assert found(".*/.*/*") == [".kept/.deep/c.txt"]


def test_a_file_and_links_to_it_are_one(tmp_path: Path) -> None:
    path = folder_of(tmp_path, b=b"b" * 9, c=b"c" * 9)
    (path / "a.txt").symlink_to("c.txt")
    (path / "d.txt").symlink_to("b.txt")
    files = ready(path, block_length=4).input_files()
    assert [file.name for file in files] == ["a.txt", "b.txt"]


def test_the_library_of_python_is_a_text_that_is_there() -> None:
    data = Text(python_library=True, pattern="json/*.py", level="character", block_length=16)
    data.setup("fit")
    assert {file.name for file in data.input_files()} >= {"__init__.py", "decoder.py"}
    assert "{" in data.transform_state()["characters"]


@pytest.mark.parametrize(
    ("options", "parameter", "message"),
    [
        ({"level": "word"}, "level", "level must be byte or character, got 'word'"),
        ({"unknown": "?"}, "unknown", "is for `level: character`"),
        ({"vocabulary_size": 9}, "vocabulary_size", "is for `level: character`"),
        ({"level": "character", "unknown": "??"}, "unknown", "must be one character"),
        ({"block_length": 0}, "block_length", "at least 1"),
        ({"stride": 0}, "stride", "at least 1"),
        ({"block_length": 20}, "block_length", "train part has no block of block_length + 1 = 21"),
        ({"val_fraction": 0.1}, "split", "the val part has no block"),
        ({"python_library": True}, "path", "cannot both be given"),
        ({"pattern": []}, "pattern", "must be a text"),
        ({"split": {"column": "a"}}, ("split", "column"), "a text has no columns"),
        ({"split": {"stratify": "a", "val": 0.1}}, ("split", "stratify"), "no columns"),
        ({"split": {"groups": "author"}}, ("split", "groups"), "are its files, got 'author'"),
        ({"split": {"kfold": 2, "fold": 0}}, ("split", "kfold"), "of whole files"),
    ],
)
def test_a_mistake_names_its_parameter(
    options: dict[str, Any], parameter: str | tuple[str, ...], message: str, tmp_path: Path
) -> None:
    path = folder_of(tmp_path, a="0123456789abcdef")
    error = refused(path, **{"block_length": 4, **options})
    assert message in error.message
    assert error.parameter == ((parameter,) if isinstance(parameter, str) else parameter)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a="abc\n", b=b"ab\ncd\xff\n")
    message = refused(path, level="character", block_length=1).message
    assert message == f"{path / 'b.txt'} is not UTF-8 text: byte 0xff in line 2"
    assert "does not exist" in refused(tmp_path / "c.txt").message
    with pytest.raises(ParameterError, match="path is missing"):
        Text()


def test_new_text_comes_in_blocks_with_what_follows_each(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a="abc\n" * 9, new="cab\nabca", odd="ab!")
    data = ready(path / "a.txt", level="character", block_length=3, batch_size=2)
    samples = list(data.new_samples(path / "new.txt"))
    assert [each.batch["x"].tolist() for each in samples] == [
        [[3, 1, 2], [0, 1, 2]],
        [[3, 1]],
    ]
    assert [each.columns["text"] for each in samples] == [["cab", "\nab"], ["ca"]]
    assert [each.columns["offset"].tolist() for each in samples] == [[0, 3], [6]]
    with pytest.raises(ParameterError, match=r"odd.txt:1:3: the character '!'"):
        list(data.new_samples(path / "odd.txt"))

    outputs = np.zeros((2, 3, 6))
    outputs[0, -1, 2] = outputs[1, -1, 3] = outputs[0, 0, 1] = 1
    outputs[:, -1, 5] = 9  # a number that no character has
    assert data.predictions({"y": outputs}, None) == {"predicted_next": ["b", "c"]}
    for wrong in (outputs[0], outputs[:, :, :3], [1]):
        with pytest.raises(ParameterError, match="the model gives"):
            data.predictions(wrong, None)
