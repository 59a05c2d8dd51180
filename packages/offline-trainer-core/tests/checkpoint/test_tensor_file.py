"""The safetensors writer, checked against the library that everyone else reads with."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offline_trainer.checkpoint import tensor_file
from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.engine import HostTensor
from offline_trainer.errors import DamagedCheckpointError


@st.composite
def host_tensors(draw: st.DrawFn) -> HostTensor:
    dtype = draw(st.sampled_from(sorted(tensor_file.ITEM_BYTES)))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    size = math.prod(shape) * tensor_file.ITEM_BYTES[dtype]
    return HostTensor(dtype, shape, draw(st.binary(min_size=size, max_size=size)))


def round_trip(tensors: dict[str, HostTensor], folder: Path) -> dict[str, HostTensor]:
    path = folder / "model.safetensors"
    path.unlink(missing_ok=True)
    record = tensor_file.write(FileSystem(), path, tensors)
    data = path.read_bytes()
    assert record.bytes == len(data)
    assert record.sha256 == hashlib.sha256(data).hexdigest()
    return tensor_file.parse(data, path)


@pytest.mark.parametrize("dtype", sorted(tensor_file.ITEM_BYTES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_every_dtype_and_shape_comes_back(
    dtype: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    data = bytes(range(math.prod(shape) * tensor_file.ITEM_BYTES[dtype]))
    tensors = {"layer.weight": HostTensor(dtype, shape, data)}
    assert round_trip(tensors, tmp_path) == tensors


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tensors=st.dictionaries(st.text(max_size=8), host_tensors(), max_size=5))
def test_any_mapping_of_tensors_comes_back(tensors: dict[str, HostTensor], tmp_path: Path) -> None:
    assert round_trip(tensors, tmp_path) == tensors


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    count = np.array(7, dtype=np.int64)
    path = tmp_path / "a.safetensors"
    tensors = {
        "weight": HostTensor("F32", weight.shape, weight.data),
        "count": HostTensor("I64", (), count.tobytes()),
    }
    tensor_file.write(FileSystem(), path, tensors)
    loaded = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(loaded["weight"], weight)
    np.testing.assert_array_equal(loaded["count"], count)


def test_each_tensor_is_aligned_and_order_of_names_does_not_matter(tmp_path: Path) -> None:
    tensors = {
        "flag": HostTensor("BOOL", (1,), b"\1"),
        "half": HostTensor("F16", (1,), b"ab"),
        "wide": HostTensor("F64", (1,), bytes(8)),
    }
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    tensor_file.write(FileSystem(), one, tensors)
    tensor_file.write(FileSystem(), two, dict(reversed(tensors.items())))
    data = one.read_bytes()
    assert data == two.read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    header = json.loads(data[8 : 8 + length])
    for name, entry in header.items():
        assert entry["data_offsets"][0] % tensor_file.ITEM_BYTES[tensors[name].dtype] == 0


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("w", HostTensor("F32", (2,), bytes(4)), "has 4 bytes, expected 8"),
        ("w", HostTensor("F8", (1,), bytes(1)), "has dtype 'F8'"),
        ("__metadata__", HostTensor("U8", (1,), bytes(1)), "cannot be named"),
    ],
)
def test_a_tensor_that_contradicts_itself_is_refused(
    name: str, tensor: HostTensor, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(ValueError, match=message):
        tensor_file.write(FileSystem(), path, {name: tensor})
    assert not path.exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "its header is longer than the file"),
        (b"\0" * 8, "its header is not JSON"),
        (b"not a tensor file at all", "its header is longer than the file"),
        (b"\xff" * 64, "its header is longer than the file"),
    ],
)
def test_other_content_is_damage(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedCheckpointError, match=f"no safetensors file .*: {reason}"):
        tensor_file.parse(data, Path("model.safetensors"))


@pytest.mark.parametrize("dtype", ["C64", None, ["F32"], {"F32": 1}])
def test_a_dtype_that_we_never_write_is_damage(dtype: object) -> None:
    header = json.dumps({"a": {"dtype": dtype, "shape": [1], "data_offsets": [0, 8]}}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes(8)
    with pytest.raises(DamagedCheckpointError, match="unknown dtype"):
        tensor_file.parse(data, Path("model.safetensors"))
