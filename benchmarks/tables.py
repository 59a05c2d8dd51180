"""What opening a table costs: `data.table` and `data.arrays` against pyarrow and NumPy alone.

A million rows of 33 numbers: as CSV, as CSV with every cell in quotes, as Parquet and as npz. Ours
read, check and divide them, and make the float32 features and the target that batches are cut
from. Of CSV, the reference is `pyarrow.csv.read_csv`, which makes no such features. Of the others
it is pyarrow or NumPy reading the columns and putting them into a matrix, one after the other;
what they need for reading alone is a row of its own. Every opening is a process of its own, in
which it is timed and the peak of its memory taken, less what is there before; the sides take
turns. Medians.

    make bench          all of it
    python benchmarks/tables.py --rows 200000 --rounds 3 csv npz
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = 33
FILES = {"csv": "t.csv", "quoted": "q.csv", "parquet": "t.parquet", "npz": "t.npz"}
# How many times what the reference takes.
LIMITS = {"csv": 1.5, "quoted": 1.5, "parquet": 1.2, "npz": 1.2, "arrays": 1.2}
REFERENCES = {
    "csv": "pyarrow",
    "quoted": "pyarrow",
    "parquet": "pyarrow, matrix",
    "npz": "numpy, matrix",
    "arrays": "numpy",
}


def write_files(folder: Path, rows: int, wanted: list[str]) -> None:
    """The same table in each form; six digits behind the point."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    random = np.random.default_rng(0)
    columns = {f"c{n}": random.standard_normal(rows).round(6) for n in range(COLUMNS - 1)}
    columns["target"] = random.standard_normal(rows).round(6)
    table = pa.table(columns)
    if "csv" in wanted:
        csv.write_csv(table, folder / FILES["csv"])
    if "quoted" in wanted:
        texts = pa.table({name: column.cast("string") for name, column in columns_of(table)})
        csv.write_csv(texts, folder / FILES["quoted"])
    if "parquet" in wanted:
        parquet.write_table(table, folder / FILES["parquet"])
    if "npz" in wanted or "arrays" in wanted:
        np.savez(folder / FILES["npz"], **columns)


def columns_of(table: Any) -> list[tuple[str, Any]]:
    return list(zip(table.column_names, table.columns, strict=True))


def open_ours(file: Path) -> object:
    from offline_trainer.data.table import Table

    data = Table(file, target="target")
    data.setup("fit")
    return data


def open_arrays(file: Path) -> object:
    from offline_trainer.data.arrays import Arrays

    data = Arrays(file)
    data.setup("fit")
    return data


def matrix_of(columns: dict[str, Any]) -> object:
    """The features and the target."""
    target = np.asarray(columns.pop("target"), np.float32)
    matrix = np.empty((len(target), len(columns)), np.float32)
    for place, values in enumerate(columns.values()):
        matrix[:, place] = values
    return matrix, target


def matrix_by_pyarrow(file: Path) -> object:
    from pyarrow import parquet

    return matrix_of(dict(columns_of(parquet.read_table(file))))


def matrix_by_numpy(file: Path) -> object:
    with np.load(file) as archive:
        return matrix_of({name: archive[name] for name in archive.files})


def open_by_pyarrow(file: Path) -> object:
    from pyarrow import csv, parquet

    return parquet.read_table(file) if file.suffix == ".parquet" else csv.read_csv(file)


def open_by_numpy(file: Path) -> object:
    with np.load(file) as archive:
        return {name: archive[name] for name in archive.files}


OPENERS: dict[str, Callable[[Path], object]] = {
    "ours": open_ours,
    "arrays": open_arrays,
    "pyarrow": open_by_pyarrow,
    "numpy": open_by_numpy,
    "pyarrow, matrix": matrix_by_pyarrow,
    "numpy, matrix": matrix_by_numpy,
}


def child(how: str, file: Path) -> None:
    """Open once, everything imported before; print seconds and the bytes that memory grew by."""
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    import offline_trainer.data.arrays
    import offline_trainer.data.table  # noqa: F401

    before = peak_bytes()
    started = time.perf_counter()
    opened = OPENERS[how](file)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "bytes": peak_bytes() - before}))
    del opened


def peak_bytes() -> int:
    """The most memory that this process has had; getrusage would tell its parent's, if more."""
    (line,) = [
        each
        for each in Path("/proc/self/status").read_text().splitlines()
        if each.startswith("VmHWM:")
    ]
    return int(line.split()[1]) * 1024


def measured(how: str, file: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", how, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="What opening a table costs.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", nargs=2)
    parser.add_argument("forms", nargs="*", default=list(LIMITS))
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    table_bytes = options.rows * COLUMNS * 8
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, python {platform.python_version()}, numpy "
        f"{version('numpy')}, pyarrow {version('pyarrow')}, {options.rows:,} rows of {COLUMNS} "
        f"numbers ({table_bytes / 1e6:.0f} MB), median of {options.rounds}"
    )
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_files(folder, options.rows, options.forms)
        for form in options.forms:
            file = folder / FILES["npz" if form == "arrays" else form]
            ours = "arrays" if form == "arrays" else "ours"
            reference = REFERENCES[form]
            sides = {ours: ours, reference: reference, "the same again": reference}
            alone = reference.removesuffix(", matrix")
            sides[alone] = alone
            rounds: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
            for turn in range(options.rounds + 1):
                for name, how in sides.items():
                    found = measured(how, file)
                    if turn:  # the first reads the file into the system's cache
                        rounds[name].append(found)
            report(form, rounds, reference, table_bytes)


def report(
    form: str, rounds: dict[str, list[dict[str, float]]], reference: str, table_bytes: int
) -> None:
    base = statistics.median(each["seconds"] for each in rounds[reference])
    for name, found in rounds.items():
        seconds = statistics.median(each["seconds"] for each in found)
        tables = max(each["bytes"] for each in found) / table_bytes
        is_ours = name in ("ours", "arrays")
        limit = LIMITS[form] if is_ours else None
        target = f"   target {limit:.1f}" if limit else ""
        target += ", memory 2.0" if is_ours and form == "csv" else ""
        said = f"{form:<9}{name:<16}{seconds:8.3f} s {seconds / base:6.2f} x"
        print(f"{said}   memory {tables:5.2f} x table{target}", flush=True)


if __name__ == "__main__":
    main()
