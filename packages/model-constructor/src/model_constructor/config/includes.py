"""`defaults:`: reading a file and all it includes, in the order in which they are merged.

Earlier entries come first, then the file itself. A file that several others include is read and
merged once, at its first place, so that a shared base never undoes what was set above it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from model_constructor.config.loader import load_document
from model_constructor.config.nodes import Node, Origin, describe, kind, replaced
from model_constructor.config.schema import TRUST_IT
from model_constructor.config.text import decode, read_bytes
from model_constructor.errors import (
    ConfigError,
    ConfigErrors,
    Note,
    Span,
    close_matches,
)
from model_constructor.findings import Findings

MAX_INCLUDES = 256
PACKAGE_PREFIX = "pkg://"
PACKAGE_FILE_NOT_FOUND = "OT0207"
"""Code of a `PackageFile`'s error about what is not there; an optional include passes over it."""
_SUFFIXES = (".yaml", ".yml")

PackageFile = Callable[[str, str], Path]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that took part.

    Attributes:
        name: Its name in messages.
        path: Its absolute path.
        content: Its bytes as read.
        included_at: The `defaults:` entry that brought it; None for the main file.
    """

    name: str
    path: Path
    content: bytes
    included_at: Span | None = None


@dataclass(slots=True)
class _Entry:
    """One line of a `defaults:` list."""

    target: str
    optional: bool
    node: Node


@dataclass(slots=True)
class _Open:
    """A file whose includes are being read."""

    identity: str
    folder: str
    file: SourceFile
    tree: Node | None
    entries: Iterator[_Entry] = field(default_factory=lambda: iter(()))
    entered_at: Span | None = None


def load_files(
    main: str, findings: Findings, *, untrusted: bool, package_file: PackageFile | None
) -> list[tuple[SourceFile, Node]]:
    """The main file and everything it includes, lowest layer first.

    Args:
        findings: Takes what is wrong with a file that can be read all the same: a key given twice,
            a number that is too large.

    Raises:
        ConfigError: A file is missing or no YAML, so that nothing can be said of the whole;
            everything wrong with any of the files, together.
    """
    includes = _Includes(main, untrusted, package_file)
    loaded = includes.load()
    findings.add(includes.errors)
    if not includes.complete:
        findings.raise_all()
    return loaded


class _Includes:
    def __init__(self, main: str, untrusted: bool, package_file: PackageFile | None) -> None:
        self.main = main
        self.root = _identity(str(Path(main).parent)) if untrusted else None
        self.package_file = package_file
        self.errors: list[ConfigError] = []
        self.complete = True
        self.done: list[tuple[SourceFile, Node]] = []
        self.seen: set[str] = set()
        self.open: list[_Open] = []
        self.count = 0

    def load(self) -> list[tuple[SourceFile, Node]]:
        self.enter(self.main, None)
        while self.open:
            current = self.open[-1]
            entry = next(current.entries, None)
            if entry is None:
                self.open.pop()
                if current.tree is not None:
                    self.done.append((current.file, current.tree))
                continue
            self.count += 1
            if self.count > MAX_INCLUDES:
                self.errors.append(
                    _error("OT0204", f"more than {MAX_INCLUDES} includes", entry.node)
                )
                self.complete = False
                break
            try:
                self.include(current, entry)
            except ConfigError as error:
                self.fail(error)
        return self.done

    def fail(self, error: ConfigError) -> None:
        """Record a mistake after which a part of the configuration is missing."""
        self.errors += self.with_road(error).errors
        self.complete = False

    def include(self, current: _Open, entry: _Entry) -> None:
        try:
            path = self.locate(current, entry)
        except ConfigError as error:
            if entry.optional and error.code == PACKAGE_FILE_NOT_FOUND:
                return
            raise
        if entry.optional and not os.path.exists(path):  # noqa: PTH110 (says False for a name too long)
            return
        identity = _identity(path)
        if self.root is not None and not _is_below(identity, self.root):
            raise _error(
                "OT0203",
                f"an untrusted configuration cannot include `{entry.target}`: "
                "it is outside the configuration's folder",
                entry.node,
                help=f"copy the file into that folder, or {TRUST_IT}",
            )
        cycle = [i for i, file in enumerate(self.open) if file.identity == identity]
        if cycle:
            raise self.cycle_error(cycle[0], entry)
        if identity not in self.seen:
            self.enter(path, entry.node)

    def enter(self, path: str, entry: Node | None) -> None:
        """Read a file and put it on the stack."""
        name = display_name(path)
        identity = _identity(path)
        self.seen.add(identity)
        span = entry.span if entry else None
        try:
            content = read_bytes(Path(path), name)
        except ConfigError as error:
            if entry is None:
                near = _similar_files(Path(path))
                raise ConfigError(error.message, code=error.code, suggestions=near) from error
            located = error.located(("defaults",), span)
            located.suggestions = _similar_files(Path(path), str(entry.value))
            raise located from error
        folder = str(Path(path).parent)
        file = SourceFile(name, Path(_absolute(path)), content, span)
        frame = _Open(identity, folder, file, None, entered_at=span)
        self.open.append(frame)
        try:
            tree, errors = load_document(decode(content, name), Origin(name, _absolute(folder)))
            self.errors += [one for error in errors for one in self.with_road(error).errors]
            if tree is None or not isinstance(tree.value, dict):
                self.complete = False
                return
            rest = {key: node for key, node in tree.value.items() if key != "defaults"}
            frame.tree = replaced(tree, value=rest)
            if "defaults" in tree.value:
                frame.entries = iter(self.read_entries(tree.value["defaults"]))
        except ConfigError as error:
            self.fail(error)

    def read_entries(self, node: Node) -> list[_Entry]:
        if not isinstance(node.value, list):
            raise _error(
                "OT0201",
                f"`defaults` must be a list of files, got {kind(node)}",
                node,
                help="write one `- path.yaml` line for each file",
            )
        entries = []
        for i, item in enumerate(node.value):
            fields = item.value
            optional = isinstance(fields, dict) and list(fields) == ["optional"]
            target = fields["optional"] if isinstance(fields, dict) and optional else item
            if not isinstance(target.value, str) or not target.value:
                self.fail(
                    _error(
                        "OT0201",
                        f"an entry of `defaults` must be a file name, got {describe(target)}",
                        target,
                        index=i,
                        help="write `path.yaml`, `pkg://distribution/path.yaml` or "
                        "`optional: path.yaml`",
                    )
                )
                continue
            entries.append(_Entry(target.value, optional, target))
        return entries

    def locate(self, current: _Open, entry: _Entry) -> str:
        target = entry.target
        if "${" in target:
            raise _error("OT0201", "`${…}` does not work in `defaults`", entry.node)
        if "\0" in target or not target.endswith(_SUFFIXES):
            raise _error(
                "OT0201",
                f"`{target}` does not end in .yaml or .yml",
                entry.node,
                suggestions=_similar_files(
                    Path(current.folder) / target.replace("\0", ""),
                    target,
                    Path(current.folder) / current.file.path.name,
                ),
            )
        if not target.startswith(PACKAGE_PREFIX):
            return os.path.normpath(Path(current.folder) / target)
        distribution, slash, path = target[len(PACKAGE_PREFIX) :].partition("/")
        if not (distribution and slash) or ".." in path.split("/"):
            raise _error("OT0205", f"`{target}` is not `pkg://distribution/path.yaml`", entry.node)
        if self.root is not None:
            raise _error(
                "OT0203",
                f"an untrusted configuration cannot include `{target}`: "
                "it is outside the configuration's folder",
                entry.node,
                help=f"copy the file into that folder, or {TRUST_IT}",
            )
        if self.package_file is None:
            raise _error(
                "OT0205",
                f"`{target}` cannot be looked up: no packages are known here",
                entry.node,
                help="run it with `ot`, or give resolve_config(package_file=…)",
            )
        try:
            return str(self.package_file(distribution, path))
        except ConfigError as error:
            raise error.located(("defaults",), entry.node.span) from error

    def cycle_error(self, first: int, entry: _Entry) -> ConfigError:
        files = self.open[first:]
        names = [file.file.name for file in files]
        notes = [
            Note(f"`{names[i]}` includes `{names[i + 1]}` here", file.entered_at)
            for i, file in enumerate(files[1:])
        ]
        notes.append(Note(f"`{names[-1]}` includes `{names[0]}` here", entry.node.span))
        chain = " → ".join([*names, names[0]])
        return _error("OT0202", f"files include each other: {chain}", entry.node, notes=notes)

    def with_road(self, error: ConfigError) -> ConfigError:
        """The error with notes on how its file came to be included."""
        road = [
            Note(f"`{file.file.name}` included here", file.entered_at)
            for file in reversed(self.open)
            if file.entered_at is not None
        ]
        if error.code == "OT0202" or not road:
            return error
        return ConfigErrors([with_notes(single, road) for single in error.errors])


def with_notes(error: ConfigError, notes: list[Note]) -> ConfigError:
    """A copy of a single error with further notes."""
    copy = error.located((), None)
    copy.notes = (*error.notes, *notes)
    return copy


def display_name(path: str) -> str:
    """A file's name in messages: relative to the current folder when below it."""
    absolute, here = _absolute(path), _absolute(".")
    if _is_below(absolute, here):
        return Path(absolute).relative_to(here).as_posix()
    return path


def current_folder() -> str:
    """The current folder; ``.`` where it no longer exists."""
    return _absolute(".")


def _absolute(path: str) -> str:
    # abspath and not resolve(): a link keeps the name that the user knows it by.
    try:
        return os.path.abspath(path)  # noqa: PTH100
    except OSError:
        return path


def _identity(path: str) -> str:
    return os.path.realpath(path)


def _is_below(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _similar_files(path: Path, written: str = "", including: Path | None = None) -> tuple[str, ...]:
    """The files that may be meant: those of a folder, or the nearest names beside a file."""
    try:
        is_folder = path.is_dir()
        files = sorted((path if is_folder else path.parent).iterdir())
    except (OSError, ValueError):
        return ()
    names = [file.name for file in files if file.suffix in _SUFFIXES and file != including]
    if is_folder:
        return tuple((Path(written or path) / name).as_posix() for name in names[:3])
    # A wrong or missing suffix is the likeliest mistake.
    same = [name for name in names if Path(name).stem in (path.stem, path.name)]
    near = [name for name in close_matches(path.name, names) if name not in same]
    folder = Path(written).parent if written else path.parent
    return tuple((folder / name).as_posix() for name in [*same, *near][:3] if name != path.name)


def _error(
    code: str,
    message: str,
    node: Node,
    *,
    index: int | None = None,
    suggestions: tuple[str, ...] = (),
    notes: list[Note] | None = None,
    help: str = "",
) -> ConfigError:
    return ConfigError(
        message,
        code=code,
        config_path=("defaults",) if index is None else ("defaults", index),
        span=node.span,
        suggestions=suggestions,
        notes=notes or (),
        help=help,
    )
