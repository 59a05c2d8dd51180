"""The loader over arrays in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offline_trainer.data.batches as batches_module
from model_constructor.errors import ParameterError
from offline_trainer.data.batches import ArrayLoader
from offline_trainer.data.order import EpochOrder


def arrays(length: int) -> dict[str, np.ndarray]:
    return {"x": np.arange(length * 3, dtype=np.float32).reshape(length, 3), "y": np.arange(length)}


@settings(max_examples=80, deadline=None)
@given(
    length=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    drop_last=st.booleans(),
    shuffle=st.booleans(),
    block_bytes=st.sampled_from([1, 100, 1 << 21]),
    data=st.data(),
)
def test_batches_are_the_order_cut_into_pieces(
    length: int,
    batch_size: int,
    drop_last: bool,
    shuffle: bool,
    block_bytes: int,
    data: st.DataObject,
) -> None:
    """Whatever the block size, and from whichever batch on."""
    source = arrays(100)
    rows = np.flatnonzero(np.arange(100) % 2 == 0)[:length]
    order = EpochOrder(len(rows), 5, 1) if shuffle else None
    visited = rows[order[:]] if order is not None else rows
    whole = len(rows) // batch_size * batch_size if drop_last else len(rows)
    expected = [visited[i : i + batch_size] for i in range(0, whole, batch_size)]
    expected = [piece[: whole - i * batch_size] for i, piece in enumerate(expected)]
    start = data.draw(st.integers(0, len(expected)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches_module, "_GATHER_BYTES", block_bytes)
        loader = ArrayLoader(
            source,
            batch_size=batch_size,
            rows=rows,
            order=order,
            start_batch=start,
            drop_last=drop_last,
        )
        found = list(loader)
    assert len(loader) == len(found) == len(expected) - start
    for batch, piece in zip(found, expected[start:], strict=True):
        assert np.array_equal(batch["y"], piece)
        assert np.array_equal(batch["x"], source["x"][piece])
        assert batch["x"].dtype == np.float32


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_batch_may_be_written_to(shuffle: bool) -> None:
    source = arrays(6)
    for array in source.values():
        array.setflags(write=False)
    loader = ArrayLoader(source, batch_size=2, order=EpochOrder(6, 0, 0) if shuffle else None)
    first = [batch["y"].tolist() for batch in loader]
    for batch in loader:
        batch["y"][:] = -1
        batch["x"] *= 0
    assert [batch["y"].tolist() for batch in loader] == first


def test_a_position_beyond_the_epoch_is_an_error_and_its_end_is_not() -> None:
    assert list(ArrayLoader(arrays(10), batch_size=4, start_batch=3)) == []
    with pytest.raises(ParameterError, match="batch 4 of an epoch, which now has only 3"):
        ArrayLoader(arrays(10), batch_size=4, start_batch=4)
