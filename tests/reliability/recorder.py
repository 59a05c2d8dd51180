"""A file system that does what it is told, and writes down what it did for `disk_model`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from offline_trainer.checkpoint.file_system import FileSystem
from reliability.disk_model import ROOT, Operation, Tree


class KilledError(BaseException):
    """The process ends here: no handler of an ordinary error may run."""


class Recorder(FileSystem):
    """Works in a folder for real, without waiting for the disk, which is the model's business.

    Attributes:
        operations: What was done, oldest first.
        operations_left: How many more are done before the process is killed; None for all.
        names_left: After how many more directories were made or moved it is killed; None for never.
    """

    def __init__(self, root: Path) -> None:
        self.operations: list[Operation] = []
        self.operations_left: int | None = None
        self.names_left: int | None = None
        self._root = root
        self._inodes = {str(root): ROOT}
        self._open: dict[int, int] = {}
        self._appending: list[int] = []
        self._last_inode = ROOT

    def record_tree(self, tree: Tree) -> None:
        """Put what is in the folder already on the disk, for certain."""
        self._record_tree(tree, self._root)

    def _record_tree(self, tree: Tree, folder: Path) -> None:
        for name, entry in tree.items():
            path = folder / name
            if isinstance(entry, bytes):
                self._made("create", path)
                inode = self._inodes[str(path)]
                self.operations += [Operation("write", inode, data=entry), Operation("sync", inode)]
            else:
                self._made("make_directory", path)
                self._record_tree(entry, path)
        self.operations.append(Operation("sync_directory", self._inodes[str(folder)]))

    def start_process(
        self, *, operations_left: int | None = None, names_left: int | None = None
    ) -> None:
        """The process before has ended, and its descriptors with it."""
        self.operations_left, self.names_left = operations_left, names_left
        for descriptor in self._appending:
            with suppress(OSError):
                os.close(descriptor)
        self._appending.clear()

    def damage(self, path: Path, content: bytes) -> None:
        """Let a file have other bytes, as a bad disk would."""
        path.write_bytes(content)
        self.operations.append(Operation("damage", self._inodes[str(path)], data=content))

    def make_directory(self, path: Path) -> None:
        self._reach()
        super().make_directory(path)
        self._made("make_directory", path)

    def create(self, path: Path) -> int:
        self._reach()
        descriptor = super().create(path)
        self._made("create", path)
        self._open[descriptor] = self._inodes[str(path)]
        return descriptor

    def open_to_append(self, path: Path) -> int:
        self._reach()
        descriptor = super().open_to_append(path)
        if str(path) not in self._inodes:
            self._made("create", path)
        self._open[descriptor] = self._inodes[str(path)]
        self._appending.append(descriptor)
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        torn = self.operations_left == 0 and len(data) > 1
        if not torn:
            self._reach()
        written = super().write(descriptor, data[: len(data) // 2] if torn else data)
        self.operations.append(
            Operation("write", self._open[descriptor], data=bytes(data[:written]))
        )
        if torn:
            self._reach()
        return written

    def sync(self, descriptor: int) -> None:
        self._reach()
        self.operations.append(Operation("sync", self._open[descriptor]))

    def sync_directory(self, path: Path) -> None:
        self._reach()
        if str(path) in self._inodes:  # not what is above the folder
            self.operations.append(Operation("sync_directory", self._inodes[str(path)]))

    def rename(self, source: Path, target: Path) -> None:
        self._reach()
        super().rename(source, target)
        self._renamed(source, target)
        self._name_changed()

    def replace(self, source: Path, target: Path) -> None:
        self._reach()
        super().replace(source, target)
        self._renamed(source, target)

    def remove_file(self, path: Path) -> None:
        self._reach()
        super().remove_file(path)
        self._removed(path)

    def remove_directory(self, path: Path) -> None:
        self._reach()
        super().remove_directory(path)
        self._removed(path)

    def _reach(self) -> None:
        if self.operations_left is not None:
            self.operations_left -= 1
            if self.operations_left < 0:
                raise KilledError

    def _name_changed(self) -> None:
        if self.names_left is not None:
            self.names_left -= 1
            if self.names_left < 0:
                self.operations_left = 0

    def _made(self, kind: str, path: Path) -> None:
        if kind == "make_directory":
            self._name_changed()
        self._last_inode += 1
        self._inodes[str(path)] = self._last_inode
        parent = self._inodes[str(path.parent)]
        self.operations.append(
            Operation(
                "create" if kind == "create" else "make_directory",
                self._last_inode,
                parent,
                path.name,
            )
        )

    def _removed(self, path: Path) -> None:
        inode = self._inodes.pop(str(path))
        self.operations.append(
            Operation("remove", inode, self._inodes[str(path.parent)], path.name)
        )

    def _renamed(self, source: Path, target: Path) -> None:
        old, new = str(source), str(target)
        for path in list(self._inodes):
            if path == old or path.startswith(f"{old}/"):
                self._inodes[new + path[len(old) :]] = self._inodes.pop(path)
        directories = [self._inodes[str(path.parent)] for path in (source, target)]
        self.operations.append(
            Operation(
                "rename",
                self._inodes[new],
                directories[0],
                source.name,
                directories[1],
                target.name,
            )
        )
