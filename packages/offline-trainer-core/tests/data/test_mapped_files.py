"""What the system is told of a file that is larger than memory."""

from __future__ import annotations

import mmap
import os
from types import SimpleNamespace
from typing import Any, cast

import pytest

from offline_trainer.data.files import mapped_for_rows

RANDOM = getattr(mmap, "MADV_RANDOM", None)
PAGE = mmap.PAGESIZE


class Told(mmap.mmap):
    """Remembers what it was told."""

    advice: tuple[int, ...] = ()

    def madvise(self, option: int, *where: int) -> None:
        self.advice = (*self.advice, option)


@pytest.mark.skipif(RANDOM is None, reason="this system takes no advice")
@pytest.mark.parametrize(("pages_of_memory", "advice"), [(100, ()), (8, ()), (7, (RANDOM,))])
def test_only_a_file_that_memory_cannot_hold_is_read_row_by_row(
    pages_of_memory: int, advice: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"SC_PAGE_SIZE": PAGE, "SC_PHYS_PAGES": pages_of_memory}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    told = Told(-1, 4 * PAGE)  # at most half of the memory is for one file
    mapped = cast("Any", SimpleNamespace(base=told))
    assert mapped_for_rows(mapped) is mapped
    assert told.advice == advice


def unknown(name: str) -> int:
    raise ValueError("unrecognized configuration name")


@pytest.mark.parametrize("sysconf", [None, unknown, lambda name: -1])
def test_a_system_that_does_not_say_its_memory_is_told_nothing(
    sysconf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sysconf is None:
        monkeypatch.delattr(os, "sysconf")
    else:
        monkeypatch.setattr(os, "sysconf", sysconf)
    monkeypatch.setattr(mmap, "MADV_RANDOM", 1, raising=False)
    told = Told(-1, 4 * PAGE)
    mapped_for_rows(cast("Any", SimpleNamespace(base=told)))
    assert told.advice == ()
