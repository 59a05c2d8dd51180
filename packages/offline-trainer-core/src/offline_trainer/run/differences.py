"""What differs between what a run had when it started and what there is now.

The same code, config, data, versions, device and number of threads give the same bytes. They are
compared here, all but the config, which `config_changes` compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_constructor.config.scalars import shorten
from offline_trainer.run.git import GitState
from offline_trainer.run.hardware import device_type
from offline_trainer.run.input_files import InputFile
from offline_trainer.run.manifest import RunManifest

ABSENT = "none"

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        what: Such as ``torch`` or ``threads``.
        then: As the run had it.
        now: As it is here.
        changes_bytes: Whether what is trained may come out otherwise by it.
    """

    what: str
    then: str
    now: str
    changes_bytes: bool = True

    def __str__(self) -> str:
        return f"{self.what}: {self.then} → {self.now}"


def differences(then: RunManifest, now: RunManifest) -> list[Difference]:
    """Everything that differs, what may change the bytes first.

    What an earlier version of this package did not record differs from nothing.
    """
    found = [
        *_code(then.git, now.git),
        *_versions({**then.versions, **then.plugins}, {**now.versions, **now.plugins}),
        *_hardware(then.hardware, now.hardware),
        *(_files(then.data, now.data) if then.data is not None and now.data is not None else ()),
    ]
    return sorted(found, key=lambda each: not each.changes_bytes)


def _code(then: GitState | None, now: GitState | None) -> Iterator[Difference]:
    if then is None or now is None or then.commit != now.commit:
        commits = [each.commit[:_SHORT] if each else "no repository" for each in (then, now)]
        if then is not None or now is not None:
            yield Difference("git commit", commits[0], commits[1])
    elif then.diff != now.diff:
        diffs = [each.diff and f"sha256 {each.diff[:_SHORT]}…" for each in (then, now)]
        yield _changed("uncommitted changes", diffs[0], diffs[1])
    elif then.dirty != now.dirty:
        files = ["there" if each.dirty else ABSENT for each in (then, now)]
        yield Difference("untracked files", files[0], files[1], changes_bytes=False)


def _versions(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Difference]:
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            yield _changed(name, then.get(name), now.get(name))


def _hardware(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    devices = [device_type(str(each.get("device"))) for each in (then, now)]
    if devices[0] != devices[1]:
        yield Difference("device", devices[0], devices[1])
    for name in ("threads", "cpu", "cpu_count", "platform"):
        if name in then and name in now and then[name] != now[name]:
            computes = name == "threads" or (name == "cpu" and devices == ["cpu", "cpu"])
            yield _changed(name, then[name], now[name], changes_bytes=computes)


def _files(then: tuple[InputFile, ...], now: tuple[InputFile, ...]) -> Iterator[Difference]:
    """Files are matched by their path, then by their content."""
    here = {file.path: file for file in now}
    gone = []
    for file in then:
        found = here.pop(file.path, None)
        if found is None:
            gone.append(file)
        elif found.sha256 != file.sha256:
            yield Difference(f"data file {file.path}", str(file), str(found))
    for file in gone:
        moved = next((other for other in here.values() if other.sha256 == file.sha256), None)
        if moved is not None:
            yield Difference("data file", file.path, here.pop(moved.path).path, changes_bytes=False)
        else:
            yield Difference(f"data file {file.path}", str(file), ABSENT)
    for file in here.values():
        yield Difference(f"data file {file.path}", ABSENT, str(file))


def _changed(what: str, then: Any, now: Any, *, changes_bytes: bool = True) -> Difference:
    before, after = (ABSENT if each is None else shorten(str(each)) for each in (then, now))
    return Difference(what, before, after, changes_bytes)
