"""What the shipped experiments reach: digits, breast cancer out of fold, diabetes beside ridge.

Each run is `ot run` in a process of its own, for seeds 0 to 4; a seed divides the rows anew. Of the
digits the run's own test accuracy counts. Of the other two, the five folds test one after the
other: `ot predict` writes what each run predicts, and only the rows that it was not trained on are
taken. Which these are is checked against the hash in the run's split.json. Ridge regression has
the same folds, and its strength is chosen inside the training part of each.

    make accuracies
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from offline_trainer.data.csv_table import CsvTable
from offline_trainer.data.module import Parts
from offline_trainer.data.split import Split, divide

Floats = npt.NDArray[np.float64]

CONFIGS = Path(__file__).parent.parent / "configs"
SEEDS = range(5)
FOLDS = 5
STRENGTHS = np.logspace(-2, 4, 25)


def ot(*arguments: str, folder: Path) -> None:
    """Run `ot` in a folder, with one thread."""
    done = subprocess.run(
        [sys.executable, "-m", "offline_trainer.cli", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"ot {' '.join(arguments)} failed:\n{done.stderr}")


def trained(name: str, folder: Path, *overrides: str) -> Path:
    """The directory of a new run."""
    out_dir = folder / f"{name}-{'-'.join(overrides)}"
    config = CONFIGS / "experiments" / f"{name}.yaml"
    ot("run", str(config), f"run.out_dir={out_dir}", *overrides, folder=folder)
    return out_dir


def test_accuracy(run: Path) -> float:
    """The accuracy that a run has measured on its test part."""
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    (accuracy,) = [row["accuracy"] for row in rows if row["stage"] == "test"]
    return float(accuracy)


def folds(targets: Sequence[str], seed: int, *, stratified: bool) -> list[Parts]:
    """The rows of each fold, as `data.table` divides them."""
    labels = targets if stratified else ()
    by = "target" if stratified else None
    return [
        divide(
            Split(kfold=FOLDS, fold=fold, stratify=by), len(targets), seed, labels, str, ("split",)
        )
        for fold in range(FOLDS)
    ]


def out_of_fold(name: str, table: Path, column: str, parts: Sequence[Parts], seed: int) -> Floats:
    """Of each row, what the run says that was not trained on it."""
    predicted = np.full(sum(len(part.test) for part in parts), np.nan)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for fold, part in enumerate(parts):
            run = trained(name, folder, f"data.split.fold={fold}", f"run.seed={seed}")
            recorded = json.loads((run / "split.json").read_text())
            if any(recorded[each] != rows for each, rows in part.state().items()):
                raise SystemExit(f"{run} has divided the rows in another way")
            output = folder / "predicted.csv"
            ot("predict", str(run), "--input", str(table), "--output", str(output), folder=folder)
            predicted[part.test] = CsvTable(output).numbers([column])[column][part.test]
    return predicted


def auroc(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Probability that a positive has a higher score than a negative; half of it where equal."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    ones = int(positive.sum())
    above = float(ranks[positive].sum()) - ones * (ones + 1) / 2
    return above / (ones * (len(scores) - ones))


def r2(predicted: Floats, y: Floats) -> float:
    return 1 - float(((predicted - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def ridge(x: Floats, y: Floats, new: Floats, strength: float) -> Floats:
    """Predictions of ridge regression on standardised features, the intercept not shrunk."""
    mean, std = x.mean(0), x.std(0)
    z, shift = (x - mean) / std, y.mean()
    weights = np.linalg.solve(z.T @ z + strength * np.eye(z.shape[1]), z.T @ (y - shift))
    predicted: Floats = (new - mean) / std @ weights + shift
    return predicted


def ridge_out_of_fold(x: Floats, y: Floats, parts: Sequence[Parts], seed: int) -> Floats:
    """As `out_of_fold`; the strength is the best of five folds of the training rows."""
    predicted = np.full(len(y), np.nan)
    for part in parts:
        rows = part.train
        inner = folds([""] * len(rows), seed, stratified=False)

        def error(strength: float, rows: npt.NDArray[np.int64], inner: list[Parts]) -> float:
            squared = 0.0
            for each in inner:
                train, test = rows[each.train], rows[each.test]
                missed = ridge(x[train], y[train], x[test], strength) - y[test]
                squared += float((missed**2).sum())
            return squared

        best = min(STRENGTHS, key=lambda strength: error(strength, rows, inner))
        predicted[part.test] = ridge(x[rows], y[rows], x[part.test], best)
    return predicted


def digits(seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        run = trained("digits_conv", Path(folder), f"run.seed={seed}")
        return {"digits_conv.yaml, test accuracy": test_accuracy(run)}


def breast_cancer(seed: int) -> dict[str, float]:
    path = CONFIGS / "data" / "breast_cancer.csv.gz"
    targets = [str(text) for text in CsvTable(path).texts(["malignant"])["malignant"]]
    parts = folds(targets, seed, stratified=True)
    scores = out_of_fold("breast_cancer", path, "probability_1", parts, seed)
    positive = np.array(targets) == "1"
    return {"breast_cancer.yaml, AUROC out of fold": auroc(scores, positive)}


def diabetes(seed: int) -> dict[str, float]:
    path = CONFIGS / "data" / "diabetes.csv.gz"
    table = CsvTable(path)
    numbers = table.numbers(table.names)
    y = numbers.pop("progression")
    x = np.stack(list(numbers.values()), 1)
    parts = folds([""] * len(y), seed, stratified=False)
    ours = r2(out_of_fold("diabetes", path, "predicted_progression", parts, seed), y)
    theirs = r2(ridge_out_of_fold(x, y, parts, seed), y)
    return {
        "diabetes.yaml, R² out of fold": ours,
        "ridge regression on the same folds": theirs,
        "difference": ours - theirs,
    }


EXPERIMENTS: tuple[Callable[[int], dict[str, float]], ...] = (digits, breast_cancer, diabetes)


def main() -> None:
    print(
        f"{platform.machine()}, python {platform.python_version()}, torch {version('torch')}, "
        f"numpy {version('numpy')}, one thread, seeds {SEEDS[0]} to {SEEDS[-1]}"
    )
    print("\n| | median | least | most |\n|---|---|---|---|")
    for measure in EXPERIMENTS:
        measured = [measure(seed) for seed in SEEDS]
        for name in measured[0]:
            values = [each[name] for each in measured]
            print(
                f"| {name} | {statistics.median(values):.4f} | {min(values):.4f} | "
                f"{max(values):.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
