"""Images so small that threads would not pay are made by threads all the same, to be tested."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _threads_whatever_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offline_trainer.data.images.module._WORTH_A_THREAD", 0.0)
