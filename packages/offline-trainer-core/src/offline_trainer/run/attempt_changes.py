"""What a run that is resumed in place has otherwise than in its earlier attempt."""

from __future__ import annotations

from pathlib import Path

from model_constructor.listing import first_few
from offline_trainer.checkpoint.file_system import reported
from offline_trainer.checkpoint.json_text import to_json
from offline_trainer.engine import Json
from offline_trainer.notices import notice
from offline_trainer.run.config_changes import SHOWN
from offline_trainer.run.differences import differences
from offline_trainer.run.manifest import RunManifest


def report_attempt_changes(earlier: RunManifest | None, manifest: RunManifest) -> None:
    """Say in one notice what may keep the run from ending as an uninterrupted one would.

    Args:
        earlier: Of the attempt before; None for a new run.
        manifest: Of this attempt, with its data files.
    """
    found = [] if earlier is None else differences(earlier, manifest)
    serious = [str(each) for each in found if each.changes_bytes]
    if serious:
        notice(
            f"changed since the run's earlier attempt: {first_few(serious, SHOWN, '; ')}; "
            "the result may differ from an uninterrupted run's"
        )


def report_other_split(earlier: Path, split: Json) -> None:
    """Say so if other samples are in the parts than before.

    Args:
        earlier: The file in which the attempt before has told its split.
        split: What the datamodule tells of it now.
    """
    with reported(f"read {earlier}"):
        told = earlier.read_text() if earlier.is_file() else None
    if told is not None and told != f"{to_json(split, indent=1)}\n":
        notice(
            "other samples are in the parts than in the run's earlier attempt; it may be tested on "
            "some that it was trained on"
        )
