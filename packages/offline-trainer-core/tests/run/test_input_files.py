"""The files that a run read: which, and what was in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_trainer.data.arrays import Arrays
from offline_trainer.data.random_regression import RandomRegression
from offline_trainer.data.table import Table
from offline_trainer.errors import ComponentFailedError
from offline_trainer.run import input_files as module
from offline_trainer.run.input_files import InputFile, hash_files, input_files


class Offers:
    """A datamodule that names some files."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.input_files = answer

    def setup(self, stage: str) -> None: ...

    def train_dataloader(self) -> list[Any]:
        return []


def test_a_file_longer_than_a_chunk_has_its_hash_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4)
    (tmp_path / "file").write_bytes(b"0123456789")
    digest = hashlib.sha256(b"0123456789").hexdigest()
    assert hash_files([tmp_path / "file"]) == (InputFile(str(tmp_path / "file"), 10, digest),)


def test_paths_are_absolute_and_each_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ba":
        (tmp_path / name).touch()
    found = hash_files(["b", tmp_path / "b", Path("a")])
    assert [file.path for file in found] == [str(tmp_path / "b"), str(tmp_path / "a")]


def test_much_data_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_NOTABLE_BYTES", 10)
    (tmp_path / "small").write_bytes(b"0123456")
    hash_files([tmp_path / "small"])
    assert capsys.readouterr().err == ""
    (tmp_path / "large").write_bytes(b"0123456789")
    hash_files([tmp_path / "large"])
    assert "hashing" in capsys.readouterr().err


def test_our_datamodules_name_the_files_they_read(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    np.savez(tmp_path / "arrays.npz", x=np.zeros(3))
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("x", "y"):
        np.save(folder / f"{name}.npy", np.zeros(3))
    (folder / "README.txt").touch()
    for datamodule, names in (
        (Table(tmp_path / "table.csv", "b"), ["table.csv"]),
        (Arrays(tmp_path / "arrays.npz"), ["arrays.npz"]),
        (Arrays(folder), ["folder/x.npy", "folder/y.npy"]),
        (RandomRegression(), []),
    ):
        datamodule.setup("fit")
        found = input_files(datamodule)
        assert found is not None
        assert [file.path for file in found] == [str(tmp_path / name) for name in names]


def test_a_datamodule_that_does_not_say_is_told_from_one_without_files() -> None:
    class Silent:
        def setup(self, stage: str) -> None: ...

        def train_dataloader(self) -> list[Any]:
            return []

    assert input_files(Silent()) is None
    assert input_files(Offers(lambda: [])) == ()


@pytest.mark.parametrize("answer", [lambda: ["/gone"], lambda: None, lambda: [3], lambda: 1 // 0])
def test_a_datamodule_that_names_no_files_is_named(answer: Callable[[], Any]) -> None:
    with pytest.raises(ComponentFailedError, match="`input_files` of the datamodule failed: "):
        input_files(Offers(answer))


def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="not a file"):
            hash_files([path])
