"""Running ``ot`` in this process or as one of its own, on the configs of the repository."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path

import pytest

from ot_process import RunOt, run_ot

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="write tests/snapshots anew")
    parser.addoption("--full", action="store_true", help="run the long campaigns, for an hour")
    parser.addoption(
        "--with-pip", action="store_true", help="let the tutorial install packages where it runs"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the campaigns: what is left for the end is short, so that all end together."""
    items.sort(key=lambda item: item.path.name != "test_reliability.py")


@pytest.fixture
def ot(tmp_path: Path) -> RunOt:
    """``ot(*arguments, env={})`` as a process in an empty folder."""

    return partial(run_ot, tmp_path)


@pytest.fixture(scope="session")
def experiments() -> Path:
    """The folder of the shipped experiments."""
    return ROOT / "configs" / "experiments"


def pytest_collection_finish() -> None:
    """Leave what is there by now to itself: the garbage collector would go through it all along."""
    gc.collect()
    gc.freeze()
