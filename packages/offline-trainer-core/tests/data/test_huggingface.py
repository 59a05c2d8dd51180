"""`data.huggingface`: folders as ``save_to_disk`` of datasets writes them, read without it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_experiment import SMALL

from model_constructor.errors import ParameterError
from offline_trainer.data.huggingface import HuggingFace
from offline_trainer.experiment import run_experiment

pa = pytest.importorskip("pyarrow", reason="needs the extra [arrow]")

NUMBER = {"dtype": "int64", "_type": "Value"}
FEATURES = {
    "x": {"feature": {"dtype": "float32", "_type": "Value"}, "length": 3, "_type": "List"},
    "image": {"shape": [2, 2], "dtype": "uint8", "_type": "Array2D"},
    "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    "is_new": {"dtype": "bool", "_type": "Value"},
    "who": {"dtype": "string", "_type": "Value"},
}


def rows(start: int, count: int) -> dict[str, Any]:
    numbers = np.arange(start, start + count)
    return {
        "x": (numbers[:, None] + [0, 0.25, 0.5]).tolist(),
        "image": (numbers[:, None, None] + np.zeros((1, 2, 2), int)).tolist(),
        "label": (numbers % 2).tolist(),
        "is_new": (numbers % 3 == 0).tolist(),
        "who": [f"p{n // 2}" for n in numbers.tolist()],
    }


def schema() -> Any:
    return pa.schema(
        [
            ("x", pa.list_(pa.float32(), 3)),
            ("image", pa.list_(pa.list_(pa.uint8()))),
            ("label", pa.int64()),
            ("is_new", pa.bool_()),
            ("who", pa.string()),
        ]
    )


def write(folder: Path, *files: Any, features: Any = FEATURES) -> Path:
    """A folder as the library writes it, with a file for each list of batches."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{number:05}-of-{len(files):05}.arrow" for number in range(len(files))]
    for name, batches in zip(names, files, strict=True):
        with pa.ipc.new_stream(str(folder / name), batches[0].schema) as stream:
            for batch in batches:
                stream.write(batch)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def batch(start: int, count: int) -> Any:
    return pa.record_batch(rows(start, count), schema())


def saved(folder: Path) -> Path:
    """Ten rows in two files, the first of two batches."""
    return write(folder, [batch(0, 3), batch(3, 4)], [batch(7, 3)])


def saved_dict(folder: Path) -> Path:
    for name, start in (("train", 0), ("validation", 20), ("test", 30)):
        write(folder / name, [batch(start, 4), batch(start + 4, 2)])
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "validation", "test"]}')
    return folder


FIELDS = {"x": "x", "image": "image", "y": "label", "is_new": "is_new"}


def ready(path: Path, **options: Any) -> HuggingFace:
    data = HuggingFace(path, **{"columns": FIELDS, **options})
    data.setup("fit")
    return data


def whole(batches: Any) -> dict[str, np.ndarray]:
    found = list(batches)
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def assert_rows(found: dict[str, np.ndarray], numbers: list[int]) -> None:
    assert found["x"][:, 0].tolist() == numbers
    assert found["image"].tolist() == [[[n, n], [n, n]] for n in numbers]
    assert found["y"].tolist() == [n % 2 for n in numbers]
    assert found["is_new"].tolist() == [n % 3 == 0 for n in numbers]


def test_columns_are_fields_with_their_shapes_and_dtypes(tmp_path: Path) -> None:
    data = ready(saved(tmp_path / "a"), shuffle=False, batch_size=4)
    batches = list(data.train_dataloader())
    assert [len(each["y"]) for each in batches] == [4, 4, 2]
    found = whole(batches)
    assert_rows(found, list(range(10)))
    assert {name: each.dtype.name for name, each in found.items()} == {
        "x": "float32",
        "image": "uint8",
        "y": "int64",
        "is_new": "bool",
    }
    assert data.transform_state() == {"classes": {"y": ["cat", "dog"]}}
    assert [file.name for file in data.input_files()] == [
        "state.json",
        "dataset_info.json",
        "data-00000-of-00002.arrow",
        "data-00001-of-00002.arrow",
    ]
    batches[0]["x"][:] = -1  # writing to a batch leaves the file alone
    assert_rows(whole(data.part_dataloader("train")), list(range(10)))


def test_the_order_is_random_and_goes_on_in_the_middle(tmp_path: Path) -> None:
    path = saved(tmp_path / "a")
    data = ready(path, batch_size=2, seed=3)
    orders = [whole(data.train_dataloader()) for _ in range(2)]
    drawn = [each["x"][:, 0].astype(int).tolist() for each in orders]
    assert sorted(drawn[0]) == sorted(drawn[1]) == list(range(10))
    assert drawn[0] != drawn[1] != list(range(10))
    for each, numbers in zip(orders, drawn, strict=True):
        assert_rows(each, numbers)
    again = ready(path, batch_size=2, seed=3)
    again.set_position(1, 2)
    assert_rows(whole(again.train_dataloader()), drawn[1][4:])


def test_splits_of_a_dict_are_parts(tmp_path: Path) -> None:
    path = saved_dict(tmp_path / "d")
    data = ready(path, splits={"train": "train", "val": "validation"}, shuffle=False)
    assert_rows(whole(data.train_dataloader()), list(range(6)))
    assert_rows(whole(data.val_dataloader()), list(range(20, 26)))
    assert data.test_dataloader() is None
    swapped = ready(path, splits={"test": "train", "train": "test"}, shuffle=False)
    assert_rows(whole(swapped.train_dataloader()), list(range(30, 36)))
    assert_rows(whole(swapped.test_dataloader()), list(range(6)))
    assert {file.parent.name for file in swapped.input_files()} == {"train", "test"}


def test_a_single_data_set_is_divided_as_any_other(tmp_path: Path) -> None:
    data = ready(saved(tmp_path / "a"), split={"groups": "who", "test": 0.4})
    train, test = (whole(data.part_dataloader(part))["x"][:, 0] // 2 for part in ("train", "test"))
    assert len(test) == 4
    assert not set(train) & set(test)


def test_a_run_keeps_the_names_of_classes_and_hashes_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    width = {"in_features": 3, "out_features": 3}
    result = run_experiment(
        {
            **SMALL,
            "model": {
                "sequential": {"inputs": ["x"], "layers": [{"_type_": "layer.linear", **width}]}
            },
            "data": {
                "_type_": "data.huggingface",
                "path": str(saved_dict(tmp_path / "d")),
                "columns": {"x": "x", "y": "x", "label": "label"},
                "splits": {"train": "train", "val": "validation", "test": "test"},
                "batch_size": 4,
            },
        }
    )
    assert result.exit_code == 0
    assert result.test_metrics.keys() >= {"loss"}
    stored = json.loads((result.out_dir / "transforms.json").read_text())
    assert stored == {"classes": {"label": ["cat", "dog"]}}
    files = json.loads((result.out_dir / "run.json").read_text())["data"]
    assert [Path(each["path"]).parent.name for each in files[::3]] == [
        "train",
        "validation",
        "test",
    ]


def test_what_is_read_is_mapped(tmp_path: Path) -> None:
    data = ready(saved(tmp_path / "a"))
    assert data._rows is not None
    chunks = data._rows._chunks
    assert [len(each) for each in chunks["x"]] == [3, 4, 3]
    assert not any(each.flags.writeable or each.flags.owndata for each in chunks["x"])


NULL = pa.record_batch({**rows(0, 2), "label": [1, None]}, schema())
NULL_INSIDE = pa.record_batch({**rows(0, 2), "x": [[1, 2, 3], [1, None, 3]]}, schema())


def truncated(path: Path) -> None:
    file = next(path.glob("*.arrow"))
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("options", "parameter", "message"),
    [
        ({"columns": None}, ("columns",), "column `who` holds string: neither numbers nor lists"),
        ({"columns": {"x": "lable"}}, ("columns", "x"), "has no column `lable`"),
        ({"splits": {"train": "a"}}, ("splits", "train"), "no split `a`: it is one data set"),
        ({"splits": {"val": "a"}}, ("splits",), "must name the one for training"),
        ({"splits": {"train": "a", "b": "c"}}, ("splits", "b"), "unknown key `b`"),
        ({"splits": {"train": "a", "test": "a"}}, ("splits", "test"), "be both train and test"),
        ({"columns": {}}, ("columns",), "no column of"),
        ({"splits": {"train": "a"}, "val_fraction": 0.5}, ("splits",), "leave out `split`"),
        ({"split": {"groups": "whom", "test": 0.5}}, ("split",), "has no column `whom`"),
    ],
)
def test_a_mistake_names_its_parameter(
    options: dict[str, Any], parameter: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError) as caught:
        ready(saved(tmp_path / "a"), **options)
    assert message in caught.value.message
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: write(path, [NULL]), "column `label`: values are missing, 1 of them"),
        (lambda path: write(path, [NULL_INSIDE]), "column `x`: values are missing, 1 of them"),
        (lambda path: write(path, [batch(0, 0)]), "has no rows"),
        (lambda path: (path / "state.json").unlink(), "save_to_disk of datasets"),
        (lambda path: (path / "state.json").write_text("[]"), "state.json is damaged"),
        (lambda path: (path / "state.json").write_text("{}"), "names no files"),
        (
            lambda path: (path / "state.json").write_text(
                '{"_data_files": [{"filename": "../a/data-00000-of-00002.arrow"}]}'
            ),
            "names no files",
        ),
        (
            lambda path: (path / "state.json").write_text('{"_indices_data_files": [1]}'),
            "another order than its files",
        ),
        (lambda path: (path / "dataset_info.json").write_text("{"), "dataset_info.json is damaged"),
        (truncated, "is damaged or of another format"),
        (saved_dict, "has the splits train, validation, test"),
        (
            lambda path: write(
                path,
                [pa.record_batch({**rows(0, 2), "image": [[[1]], [[2]]]}, schema())],
            ),
            "column `image` has another shape",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_told(
    prepare: Callable[[Path], Any], message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path / "a")
    prepare(path)
    with pytest.raises(ParameterError, match=message):
        ready(path)


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParameterError, match="pyarrow is needed, which is not installed") as caught:
        ready(path)
    assert caught.value.help == "pip install 'offline-trainer-core[arrow]'"


def test_the_library_writes_what_is_read(tmp_path: Path) -> None:
    """The other tests write such folders themselves; this one needs the library."""
    datasets = pytest.importorskip(
        "datasets", reason="the library datasets is not installed: pip install datasets"
    )
    features = datasets.Features(
        {
            "x": datasets.Sequence(datasets.Value("float32"), length=3),
            "image": datasets.Array2D((2, 2), "uint8"),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "is_new": datasets.Value("bool"),
            "who": datasets.Value("string"),
        }
    )
    parts = {
        name: datasets.Dataset.from_dict(rows(start, 9), features=features)
        for name, start in (("train", 0), ("held_out", 40))
    }
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "d", num_shards={"train": 2, "held_out": 1})
    data = ready(tmp_path / "d", splits={"train": "train", "test": "held_out"}, shuffle=False)
    assert_rows(whole(data.train_dataloader()), list(range(9)))
    assert_rows(whole(data.test_dataloader()), list(range(40, 49)))
    assert data.transform_state() == {"classes": {"y": ["cat", "dog"]}}
    chosen = parts["train"].select([4, 2, 7])
    chosen.save_to_disk(tmp_path / "s")
    assert_rows(whole(ready(tmp_path / "s", shuffle=False).train_dataloader()), [4, 2, 7])
