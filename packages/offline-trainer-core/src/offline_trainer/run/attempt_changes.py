"""What a run that is resumed in place has otherwise than in its earlier attempt."""

from __future__ import annotations

from model_constructor.listing import first_few
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
