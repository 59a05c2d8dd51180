"""A disk in memory that knows what a crash of the machine may leave of it.

What the model promises is what POSIX promises, and no more than ext2 keeps:

- A file's bytes are on the disk once its descriptor has been synced. What was written since may be
  there, be cut off at any byte, or be zeros or old garbage from any byte on.
- A name (a file or directory made, renamed or removed) is on the disk once its directory has been
  synced; syncing a file says nothing about its name.
- Without a journal, of the names changed since the last sync any may be lost and any later one be
  there. A rename within one directory is whole or absent; between two directories the new name and
  the old one change each by itself, so that a crash may leave either, or neither.
- With a journal, changes of names reach the disk in their order, and a sync takes all earlier ones
  with it: what is left is a prefix.
- A process that was killed, on a machine that goes on, leaves everything.

What was on the disk stays as it is. Nothing here rots: damage is put there by an operation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple, TypeAlias

Tree: TypeAlias = "dict[str, Tree | bytes]"
"""What a directory holds."""

Kind = Literal[
    "make_directory", "create", "write", "sync", "sync_directory", "rename", "remove", "damage"
]
ROOT = 0
_CHANCES_TO_BE_KEPT = (0.0, 0.1, 0.5, 0.9, 1.0)


class Operation(NamedTuple):
    """One operation; ``inode`` is the file or directory that it is about."""

    kind: Kind
    inode: int
    directory: int = -1
    name: str = ""
    to_directory: int = -1
    to_name: str = ""
    data: bytes = b""


class _Change(NamedTuple):
    """Of the names in one directory: from ``old`` to ``new``, either may be no name."""

    time: int
    inode: int
    old: str
    new: str


@dataclass(slots=True)
class _File:
    content: bytes = b""
    synced: int = 0


class Disk:
    """What is on the disk for certain, and what is on its way there."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._names: defaultdict[int, dict[str, int]] = defaultdict(dict)
        self._changes: defaultdict[int, list[_Change]] = defaultdict(list)
        self._time = 0
        self._synced_at = 0

    def apply(self, operations: Iterable[Operation]) -> Disk:
        for operation in operations:
            self._time += 1
            self._apply(operation)
        return self

    def _apply(self, operation: Operation) -> None:
        kind, inode, directory, name, to_directory, to_name, data = operation
        if kind == "write":
            self._files[inode].content += data
        elif kind == "sync":
            self._files[inode].synced = len(self._files[inode].content)
            self._synced_at = self._time
        elif kind == "sync_directory":
            names = self._names[inode]
            for change in self._changes.pop(inode, ()):
                _change(names, change)
            self._synced_at = self._time
        elif kind == "damage":
            self._files[inode] = _File(data, len(data))
        elif kind == "remove":
            self._note(directory, inode, name, "")
        elif kind == "rename":
            if directory == to_directory:
                self._note(directory, inode, name, to_name)
            else:
                self._note(to_directory, inode, "", to_name)
                self._note(directory, inode, name, "")
        else:
            if kind == "create":
                self._files[inode] = _File()
            self._note(directory, inode, "", name)

    def _note(self, directory: int, inode: int, old: str, new: str) -> None:
        self._changes[directory].append(_Change(self._time, inode, old, new))

    def crash(self, random: Random) -> Tree:
        """What may be left, by chance."""
        kind = random.random()
        killed = kind < 0.1
        if killed:
            names = self._kept(lambda change: True)
        elif kind < 0.5:
            last = random.randint(self._synced_at, self._time)
            names = self._kept(lambda change: change.time <= last)
        else:
            chance = random.choice(_CHANCES_TO_BE_KEPT)
            names = self._kept(lambda change: random.random() < chance)
        return self._tree(ROOT, names, _one_name_each(names, self._files, random), random, killed)

    def _kept(self, keep: Callable[[_Change], bool]) -> dict[int, dict[str, int]]:
        kept = {directory: dict(names) for directory, names in self._names.items()}
        for directory, changes in self._changes.items():
            names = kept.setdefault(directory, {})
            for change in changes:
                if keep(change):
                    _change(names, change)
        return kept

    def _tree(
        self,
        directory: int,
        names: dict[int, dict[str, int]],
        only: dict[int, tuple[int, str]],
        random: Random,
        killed: bool,
    ) -> Tree:
        tree: Tree = {}
        for name, inode in names.get(directory, {}).items():
            if inode in self._files:
                file = self._files[inode]
                tree[name] = file.content if killed else _left(file, random)
            elif only.get(inode, (directory, name)) == (directory, name):
                tree[name] = self._tree(inode, names, only, random, killed)
        return tree


def _change(names: dict[str, int], change: _Change) -> None:
    """Do what a change does, as far as what it rests on was kept."""
    if change.old:
        if names.get(change.old) != change.inode:
            return
        del names[change.old]
    if change.new:
        names[change.new] = change.inode


def _one_name_each(
    names: dict[int, dict[str, int]], files: dict[int, _File], random: Random
) -> dict[int, tuple[int, str]]:
    """The one name that a check of the disk leaves a directory that was found under two."""
    found: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for directory, entries in names.items():
        for name, inode in entries.items():
            if inode not in files:
                found[inode].append((directory, name))
    return {inode: random.choice(each) for inode, each in found.items() if len(each) > 1}


def _left(file: _File, random: Random) -> bytes:
    content, synced = file.content, file.synced
    if synced == len(content):
        return content
    end = random.randint(synced, len(content))
    start, rest = content[:end], len(content) - end
    return random.choice((content, start, start + bytes(rest), start + random.randbytes(rest)))


def materialise(tree: Tree, folder: Path) -> None:
    """Write a tree into an empty folder."""
    for name, entry in tree.items():
        path = folder / name
        if isinstance(entry, bytes):
            path.write_bytes(entry)
        else:
            path.mkdir()
            materialise(entry, path)


def read_tree(folder: Path) -> Tree:
    """What is in a folder."""
    return {
        path.name: read_tree(path) if path.is_dir() else path.read_bytes()
        for path in folder.iterdir()
    }
