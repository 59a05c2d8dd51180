"""A public name that disappears, or appears by accident, fails here.

Where the change is meant, write the snapshots anew and let the diff be reviewed:

    .venv/bin/python -m pytest tests/test_snapshots.py --update-snapshots
"""

from __future__ import annotations

from pathlib import Path

import pytest

import public_names

FOLDER = Path(__file__).parent / "snapshots"

SNAPSHOTS = {
    "keys": public_names.keys,
    "cli_options": public_names.cli_options,
    "hooks": public_names.hook_signatures,
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_public_names_are_those_of_the_snapshot(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in public_names.FIRST_PARTY.items():
        monkeypatch.setenv(variable, value)
    now = SNAPSHOTS[name]()
    file = FOLDER / f"{name}.txt"
    if request.config.getoption("--update-snapshots"):
        file.write_text("".join(f"{line}\n" for line in now))
    known = file.read_text().splitlines()
    gone, new = sorted(set(known) - set(now)), sorted(set(now) - set(known))
    assert (gone, new) == ([], []), f"gone, new in tests/snapshots/{name}.txt; {__doc__}"


def test_keys_stand_sorted_and_once() -> None:
    known = (FOLDER / "keys.txt").read_text().splitlines()
    assert known == sorted(set(known))
