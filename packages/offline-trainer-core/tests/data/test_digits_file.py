"""The table of digits that comes with the configs is what its README says."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from offline_trainer.data.table import Table

FOLDER = Path(__file__).parents[4] / "configs" / "data"
DIGITS = FOLDER / "digits.csv.gz"

pytestmark = pytest.mark.skipif(
    not DIGITS.exists(), reason="the configs are in the repository, not in the package"
)


def test_the_bytes_are_those_whose_hash_the_readme_gives() -> None:
    content = gzip.decompress(DIGITS.read_bytes())
    assert hashlib.sha256(content).hexdigest() in (FOLDER / "README.md").read_text()
    assert DIGITS.stat().st_size < 150_000


def test_it_reads_as_a_table_of_classes() -> None:
    data = Table(DIGITS, target="label", target_dtype="int64", batch_size=1797, shuffle=False)
    data.setup("fit")
    (batch,) = data.train_dataloader()
    assert batch["x"].shape == (1797, 64)
    assert (batch["x"].min(), batch["x"].max()) == (0.0, 16.0)
    assert np.array_equal(batch["x"], np.rint(batch["x"]))
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(batch["y"]).tolist() == counts
