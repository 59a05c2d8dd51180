"""How well counting predicts the text of char_lm.yaml: bits per character of n-gram models.

The blocks are those of the config, divided by the same seed. A model of order n looks at the n - 1
characters before; what it has not counted is left to that of order n - 1 (interpolation: Witten
and Bell, "The zero-frequency problem", 1991), and at last to all symbols alike. Like the network,
it sees of the text only what is in the block.

    make accuracies
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offline_trainer.experiment import prepare

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CONFIG = Path(__file__).parent.parent / "configs" / "experiments" / "char_lm.yaml"
ORDERS = 6


class Ngrams:
    """What was counted of one order: each context, and each context with what follows."""

    def __init__(self, order: int, symbols: int, text: Counts) -> None:
        self._order = order
        self._symbols = symbols
        self._grams, self._times = np.unique(self._keys(text), return_counts=True)
        contexts, of_gram, kinds = np.unique(
            self._grams // symbols, return_inverse=True, return_counts=True
        )
        self._contexts, self._kinds = contexts, kinds
        self._total = np.bincount(of_gram, self._times)

    def mixed(self, text: Counts, lower: Floats) -> Floats:
        """The probability of each symbol of (B, L), from that of order n - 1; as it is where the
        context does not reach back far enough."""
        mixed: Floats = lower.copy()
        keys = self._keys(text)
        times = _found(self._grams, self._times, keys)
        total = _found(self._contexts, self._total, keys // self._symbols)
        kinds = _found(self._contexts, self._kinds, keys // self._symbols)
        part = lower[:, self._order - 1 :].ravel()
        known = total > 0
        part[known] = ((times + kinds * part) / np.maximum(total + kinds, 1))[known]
        mixed[:, self._order - 1 :] = part.reshape(len(text), -1)
        return mixed

    def _keys(self, text: Counts) -> Counts:
        """Each n symbols of a row as one number."""
        length = text.shape[1] - self._order + 1
        keys = np.zeros((len(text), length), np.int64)
        for place in range(self._order):
            keys = keys * self._symbols + text[:, place : place + length]
        return keys.ravel()


def _found(sorted_keys: Counts, values: npt.NDArray[Any], keys: Counts) -> Floats:
    """The value of each key, 0 of one that is not there."""
    places = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    found: Floats = np.where(sorted_keys[places] == keys, values[places], 0.0)
    return found


def blocks(datamodule: Any, part: str) -> Counts:
    """All blocks of a part with what follows the last symbol, (N, T + 1)."""
    batches = datamodule.part_dataloader(part)
    return np.concatenate(
        [np.concatenate([batch["x"], batch["y"][:, -1:]], axis=1) for batch in batches]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("overrides", nargs="*", help="as of `ot run`")
    prepared = prepare(CONFIG, parser.parse_args().overrides)
    builder = prepared.builder(False)
    datamodule: Any = builder.seeded_datamodule(prepared.run.seed)
    builder.set_up(datamodule)
    symbols = int(prepared.data["params"]["symbols"])
    assert symbols**ORDERS < 2**63
    parts = {part: blocks(datamodule, part) for part in ("train", "val", "test")}
    print("characters to predict:", {part: each[:, 1:].size for part, each in parts.items()})
    print("\n| order | val bits per character | test |\n|---|---|---|")
    said = {part: np.full(parts[part].shape, 1 / symbols) for part in ("val", "test")}
    for order in range(1, ORDERS + 1):
        model = Ngrams(order, symbols, parts["train"])
        bits = {}
        for part in said:
            said[part] = model.mixed(parts[part], said[part])
            bits[part] = -np.log2(said[part][:, 1:]).mean()
        print(f"| {order} | {bits['val']:.3f} | {bits['test']:.3f} |", flush=True)


if __name__ == "__main__":
    main()
