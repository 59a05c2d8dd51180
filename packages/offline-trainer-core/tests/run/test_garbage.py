"""What is made for good is out of the collector's sight, and nothing else is."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_experiment import SMALL

from offline_trainer.run.garbage import made_for_good
from offline_trainer.testing import RunCli

pytest_plugins = ["offline_trainer.testing.fixtures"]


@pytest.fixture(autouse=True)
def _collector_as_found() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


def seen(item: object) -> bool:
    """Whether the collector looks at it."""
    return any(other is item for other in gc.get_objects())


def test_what_is_made_inside_is_not_looked_at_and_the_rest_is() -> None:
    with made_for_good(process_is_the_run=True):
        assert not gc.isenabled()
        inside = [object()]
    outside = [object()]
    assert gc.isenabled()
    assert not seen(inside)
    assert seen(outside)


def test_an_error_inside_leaves_the_collector_on() -> None:
    with pytest.raises(KeyError), made_for_good(process_is_the_run=True):
        raise KeyError("no such thing")
    assert gc.isenabled()


def test_garbage_of_before_does_not_stay() -> None:
    class Circle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            gone.append(True)

    gone: list[bool] = []
    gc.disable()  # so that nothing else takes it away
    Circle()
    gc.enable()
    with made_for_good(process_is_the_run=True):
        pass
    assert gone == [True]


def test_a_run_in_a_process_that_goes_on_changes_nothing() -> None:
    frozen = gc.get_freeze_count()
    with made_for_good(process_is_the_run=False):
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_whoever_switched_collection_off_has_it_off() -> None:
    gc.disable()
    with made_for_good(process_is_the_run=True):
        pass
    assert not gc.isenabled()


def test_ot_run_keeps_what_it_imports(
    ot_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(json.dumps(SMALL))
    gc.unfreeze()
    assert ot_cli("run", "small.yaml").exit_code == 0
    assert gc.isenabled()
    assert len(gc.get_objects()) < gc.get_freeze_count()
