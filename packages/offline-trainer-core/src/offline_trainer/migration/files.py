"""Which of some config files need a change, and what they are after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model_constructor.aliases import old_names
from model_constructor.config.resolve import resolve_with_findings
from model_constructor.errors import ConfigError
from model_constructor.findings import Findings
from model_constructor.registry import Registry
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.migration.document import Document, Edit, edited, parse, read_file
from offline_trainer.migration.steps import edit_of, needed_edits
from offline_trainer.plugins.package_files import package_file

_MAX_PASSES = 20

Needed = Callable[[Document, Registry], list[Edit]]


@dataclass(slots=True)
class FileChange:
    """What becomes of one file.

    Attributes:
        name: The file as it was named.
        path: The file itself, links followed.
        before: Its bytes.
        after: Its bytes brought up to date.
        done: The edits, in order of place.
        by_hand: What must change and cannot be edited: an escape, or a ``${…}``.
    """

    name: str
    path: Path
    before: bytes
    after: bytes
    done: list[Edit] = field(default_factory=list)
    by_hand: list[Edit] = field(default_factory=list)


def plan_changes(
    names: Sequence[str], registry: Registry, needed: Needed = needed_edits
) -> tuple[list[FileChange], list[str]]:
    """What is to change in the named files; nothing is written.

    Args:
        names: The files.
        registry: Knows what was renamed.
        needed: Finds the edits that a file needs by itself.

    Returns:
        The changes, and the names of included files that need a change as well.

    Raises:
        ConfigError: A file, or what it includes, cannot be read; or plugins disagree about a name.
        OfflineTrainerError: A file uses an old name and the new one.
    """
    wanted = {Path(name).resolve(): name for name in names}
    inherited, included = _from_whole_configs(names, registry)
    changes = []
    for path, name in wanted.items():
        edits = [edit for owner, edit in inherited if owner == path]
        changes.append(_change(name, path, registry, needed, edits))
    others = {
        name
        for path, name in included.items()
        if path not in wanted
        and (
            any(owner == path for owner, _ in inherited)
            or needed(parse(read_file(path, name), name), registry)
        )
    }
    return changes, sorted(others)


def _from_whole_configs(
    names: Sequence[str], registry: Registry
) -> tuple[list[tuple[Path, Edit]], dict[Path, str]]:
    """Edits, by file, of what only the whole config tells: `{lr: …}` over an inherited spec."""
    edits: list[tuple[Path, Edit]] = []
    included: dict[Path, str] = {}
    for name in names:
        # A part of a config need not be one by itself: what it lacks is not of interest here.
        resolved = resolve_with_findings(Findings(), name, package_file=package_file)
        paths = {file.name: file.path.resolve() for file in resolved.files}
        included |= {path: shown for shown, path in paths.items()}
        for use in old_names(resolved.data, registry)[0]:
            edit = edit_of(use, resolved.source_map)
            if edit is not None and edit.span.file in paths:
                edits.append((paths[edit.span.file], edit))
    return edits, included


def _change(
    name: str, path: Path, registry: Registry, needed: Needed, inherited: list[Edit]
) -> FileChange:
    before = read_file(path, name)
    change = FileChange(name, path, before, before)
    not_done: list[Edit] = []
    for _ in range(_MAX_PASSES):
        document = _parsed(change, name)
        own = needed(document, registry)
        places = {_place(edit) for edit in own}
        edits = [*own, *(edit for edit in inherited if _place(edit) not in places)]
        after, left = edited(change.after, document, edits)
        change.done += sorted({*edits} - {*left}, key=_place)
        not_done += [edit for edit in left if edit in inherited]
        if after == change.after:
            break
        # Places from the whole config are those of the text as it was.
        change.after, inherited = after, []
    change.by_hand = sorted({*left, *not_done}, key=_place)
    return change


def _place(edit: Edit) -> tuple[int, int]:
    return edit.span.line, edit.span.column


def _parsed(change: FileChange, name: str) -> Document:
    try:
        return parse(change.after, name)
    except ConfigError as error:
        if change.after == change.before:
            raise
        raise OfflineTrainerError(
            f"{name} is left as it is, its old and new names clash: {error.errors[0].message}",
            help=f"ot check {name} shows both places",
        ) from error
