"""`data.arrays`: fields from .npz and .npy files."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from model_constructor.errors import ParameterError
from offline_trainer.checkpoint import tensor_file
from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.data.arrays import Arrays
from offline_trainer.data.module import Parts
from offline_trainer.engine import HostTensor

FIELDS = {
    "image": np.arange(7 * 4 * 4, dtype=np.uint8).reshape(7, 4, 4),
    "label": np.arange(7, dtype=np.int64),
    "mask": np.arange(7) % 2 == 0,
}


_SAFETENSORS = {"u": "U8", "i": "I64", "b": "BOOL", "f": "F64"}


def stored(folder: Path, form: str, fields: dict[str, np.ndarray]) -> Path:
    if form == "npz":
        np.savez_compressed(folder / "fields.npz", **fields)  # type: ignore[arg-type]
        return folder / "fields.npz"
    if form == "safetensors":
        tensors = {
            name: HostTensor(_SAFETENSORS[values.dtype.kind], values.shape, values.tobytes())
            for name, values in fields.items()
        }
        tensor_file.write(FileSystem(), folder / "fields.safetensors", tensors)
        return folder / "fields.safetensors"
    target = folder / "fields"
    target.mkdir()
    for name, values in fields.items():
        np.save(target / f"{name}.npy", values, allow_pickle=True)
    return target


def refused(path: Path) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        Arrays(path).setup("fit")
    assert caught.value.parameter == ("path",)
    return caught.value


@pytest.mark.parametrize("form", ["npz", "folder", "safetensors"])
def test_each_array_is_a_field_with_its_shape_and_dtype(tmp_path: Path, form: str) -> None:
    data = Arrays(stored(tmp_path, form, FIELDS), batch_size=4)
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert [len(batch["label"]) for batch in batches] == [4, 3]
    for batch in batches:
        assert sorted(batch) == ["image", "label", "mask"]
        for name, values in FIELDS.items():
            assert batch[name].dtype == values.dtype
            assert np.array_equal(batch[name], values[batch["label"]])


def test_every_kind_of_file_comes_in_the_same_order(tmp_path: Path) -> None:
    orders = []
    for form in ("npz", "folder", "safetensors"):
        data = Arrays(stored(tmp_path, form, FIELDS), batch_size=7, val_fraction=0.3)
        data.set_seed(11)
        data.setup("fit")
        orders.append([batch["label"].tolist() for batch in data.train_dataloader()])
    assert orders[0] == orders[1] == orders[2]
    assert orders[0][0] != sorted(orders[0][0])


def test_a_folder_is_read_only_when_it_is_used(tmp_path: Path) -> None:
    """Batches can be written to, and writing to them leaves the files alone."""
    folder = stored(tmp_path, "folder", FIELDS)
    data = Arrays(folder, shuffle=False)
    data.setup("fit")
    for batch in data.train_dataloader():
        batch["label"][:] = -1
    assert np.array_equal(np.load(folder / "label.npy"), FIELDS["label"])


def test_the_byte_order_becomes_this_machines(tmp_path: Path) -> None:
    file = stored(tmp_path, "npz", {"x": np.arange(3, dtype=">f4")})
    data = Arrays(file, shuffle=False)
    data.setup("fit")
    (batch,) = data.train_dataloader()
    assert batch["x"].dtype.isnative
    assert batch["x"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("form", ["npz", "folder"])
def test_python_objects_are_never_loaded(tmp_path: Path, form: str) -> None:
    values = np.array([{"a": 1}, None], dtype=object)
    message = refused(stored(tmp_path, form, {"x": values})).message
    assert "Python objects, which are never loaded" in message
    assert "x" in message


@pytest.mark.parametrize("form", ["npz", "folder"])
@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"a": np.zeros(3), "b": np.zeros(4)}, "differ in length: `a` 3, `b` 4"),
        ({"a": np.zeros((0, 2))}, "have no rows"),
        ({"a": np.array(3.0)}, "is a single value"),
        ({"a": np.array(["x", "y"])}, "array `a` of"),
        ({}, "holds no arrays"),
    ],
)
def test_arrays_that_make_no_batch_are_refused(
    tmp_path: Path, form: str, fields: dict[str, np.ndarray], problem: str
) -> None:
    path = stored(tmp_path, form, fields)
    message = refused(path).message
    assert problem in message
    assert str(path) in message


def test_damaged_files_are_an_error_and_never_a_traceback(tmp_path: Path) -> None:
    whole = stored(tmp_path, "npz", FIELDS).read_bytes()
    damaged = tmp_path / "damaged.npz"
    for length in range(0, len(whole), 37):
        damaged.write_bytes(whole[:length])
        assert "damaged.npz" in refused(damaged).message
    file = stored(tmp_path, "safetensors", {"x": np.arange(5), "y": np.zeros((5, 2))})
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert f"{file} is no safetensors file" in refused(file).message
    folder = stored(tmp_path, "folder", {"x": np.arange(5)})
    whole = (folder / "x.npy").read_bytes()
    for length in range(0, len(whole), 7):
        (folder / "x.npy").write_bytes(whole[:length])
        assert "x.npy is damaged" in refused(folder).message


@pytest.mark.filterwarnings("ignore:Data type alias")  # numpy's, about a dtype it was made to read
def test_flipped_bytes_are_an_error_or_harmless_and_never_a_traceback(tmp_path: Path) -> None:
    file = stored(tmp_path, "npz", {"x": np.arange(3)})
    whole = file.read_bytes()
    for position in range(0, len(whole), 3):
        content = bytearray(whole)
        content[position] ^= 0xFF
        file.write_bytes(bytes(content))
        data = Arrays(file)
        with contextlib.suppress(ParameterError):
            data.setup("fit")


def test_flipped_bytes_in_a_compressed_file_are_noticed(tmp_path: Path) -> None:
    file = stored(tmp_path, "npz", {"x": np.random.default_rng(0).random(50)})
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))
    assert "array `x` is damaged" in refused(file).message


def test_other_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "tables are read by data.table" in refused(tmp_path / "x.csv").help
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npy").read_bytes())
    assert "is a .npy file, not .npz" in refused(tmp_path / "x.npz").message
    (tmp_path / "y.npz").write_text("hello")
    assert "is damaged or not numpy's" in refused(tmp_path / "y.npz").message
    error = refused(tmp_path / "z.npz")
    assert "z.npz does not exist" in error.message
    assert "x.npz" in error.suggestions


def test_one_npy_file_is_a_field_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "image.npy"
    np.save(file, FIELDS["image"])
    data = Arrays(file, shuffle=False)
    data.setup("fit")
    (batch,) = data.train_dataloader()
    assert list(batch) == ["image"]
    assert np.array_equal(batch["image"], FIELDS["image"])
    assert data.input_files() == [file]
    np.save(file, np.zeros((0, 2)))
    assert "have no rows" in refused(file).message


@pytest.mark.parametrize("name", ["image.npy", "fields", "fields.safetensors"])
def test_what_is_mapped_is_not_in_memory(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "image.npy", FIELDS["image"])
    stored(tmp_path, "folder", FIELDS)
    stored(tmp_path, "safetensors", FIELDS)
    arrays, _ = Arrays(tmp_path / name).load(0)
    for array in arrays.values():
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_files_of_the_safetensors_library_are_read(tmp_path: Path) -> None:
    numpy_files = pytest.importorskip("safetensors.numpy", reason="the library is not installed")
    file = tmp_path / "fields.safetensors"
    numpy_files.save_file(FIELDS, file, metadata={"made": "by a test"})
    arrays, _ = Arrays(file).load(0)
    assert {name: each.tolist() for name, each in arrays.items()} == {
        name: each.tolist() for name, each in FIELDS.items()
    }


def test_what_numpy_does_not_have_is_told(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    tensor_file.write(FileSystem(), file, {"x": HostTensor("BF16", (2, 1), bytes(4))})
    error = refused(file)
    assert error.message == f"{file}, array `x` is BF16, which numpy does not have"
    assert error.help == "store it as F32 or F16"


def test_rows_that_are_not_divided_are_told_as_any_other(tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    np.save(file, np.zeros((1000, 1)))
    data = Arrays(file)
    data.setup("fit")
    rows, none = np.arange(1000), np.arange(0)
    assert data.split_state() == {"seed": 0, **Parts(rows, none, none).state()}


def test_arrays_are_divided_by_one_of_them(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    who = np.repeat(["ann", "bob", "cy", "di"], 5)
    np.savez(file, x=np.arange(20), who=who, y=np.arange(20) % 2)
    data = Arrays(file, split={"groups": "who", "test": 0.5})
    data.setup("fit")
    test = data.test_dataloader()
    assert test is not None
    (batch,) = test
    assert list(batch) == ["x", "y"]
    assert len(batch["x"]) == 10
    assert len(set(who[batch["x"]].tolist())) == 2
    folds = []
    for fold in range(4):
        np.savez(tmp_path / "b.npz", x=np.arange(20), y=np.arange(20) % 2)
        data = Arrays(tmp_path / "b.npz", split={"kfold": 4, "fold": fold, "stratify": "y"})
        data.setup("fit")
        folds += [value for batch in data.test_dataloader() or () for value in batch["x"].tolist()]
    assert sorted(folds) == list(range(20))


@pytest.mark.parametrize(
    ("name", "message"),
    [("wh", "has no array `wh`"), ("x", "is float64 of shape"), ("m", "of shape \\(4, 2\\)")],
)
def test_an_array_that_cannot_divide_is_named(tmp_path: Path, name: str, message: str) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, x=np.zeros(4), m=np.zeros((4, 2), int))
    with pytest.raises(ParameterError, match=message):
        Arrays(file, split={"groups": name, "test": 0.5}).setup("fit")


def test_an_array_of_texts_alone_is_no_data(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, who=np.repeat(["ann", "bob"], 5))
    with pytest.raises(ParameterError, match="has no array but `who`") as caught:
        Arrays(file, split={"groups": "who", "test": 0.5}).setup("fit")
    assert caught.value.parameter == ("path",)


def test_rows_that_are_not_finite_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = np.zeros((1200, 2, 3), np.float32), np.arange(1200)
    x[17, 1, 2], x[40, 0], x[40, 1, 0] = np.nan, np.inf, -np.inf
    np.savez(tmp_path / "data.npz", x=x, y=y, z=y.astype(np.float64))
    Arrays(tmp_path / "data.npz").setup("fit")
    (told,) = capsys.readouterr().err.splitlines()
    assert f"array `x` of {tmp_path}/data.npz is not finite in 2 of its 1,200 rows" in told
    assert "first in row 17 (from 0)" in told
