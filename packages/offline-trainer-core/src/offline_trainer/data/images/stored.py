"""Images as they are stored: each in a file of its own, or many in one."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from model_constructor.errors import close_matches
from offline_trainer.data.batches import Array
from offline_trainer.data.images.pillow import decoded, to_mode, verify
from offline_trainer.protocols import BadImageError
from offline_trainer.run.input_files import InputFile, input_file

if TYPE_CHECKING:
    from PIL.Image import Image


class StoredImages(Protocol):
    """Images by their numbers, from 0; they are read by several threads at once."""

    def image(self, row: int, mode: str) -> Image:
        """One of them.

        Raises:
            BadImageError: It cannot be read.
        """

    def named(self, row: int) -> str:
        """What it is called in messages."""

    def check(self, row: int, mode: str) -> Image:
        """The same as `image`, the first time; what was in its file is noted."""

    def hashes(self) -> Mapping[int, str]:
        """The hash of the file of each that was checked; none where it has no file of its own."""

    def input_files(self) -> list[Path | InputFile]:
        """The files that were read."""


class ImageFiles:
    """Images in files of their own.

    Args:
        files: Their paths.
        table: The file that names them, if one does.
        place: Where it names each.
    """

    def __init__(
        self,
        files: Sequence[Path],
        table: Path | None = None,
        place: Callable[[int], str] | None = None,
    ) -> None:
        self._files = files
        self._table = table
        self._place = place
        self._seen: dict[int, InputFile] = {}

    def image(self, row: int, mode: str) -> Image:
        """One of them, read anew."""
        return decoded(self._content(row), mode)

    def check(self, row: int, mode: str) -> Image:
        """One of them; its file is verified, and its hash noted."""
        content = self._content(row)
        self._seen[row] = input_file(self._files[row], content)
        image = decoded(content, mode)
        verify(content)
        return image

    def named(self, row: int) -> str:
        """The path of its file, and where a table names it."""
        named = f"image {self._files[row]}"
        return named if self._place is None else f"{self._place(row)}: {named}"

    def hashes(self) -> Mapping[int, str]:
        """The hash of each file that was checked."""
        return {row: file.sha256 for row, file in self._seen.items()}

    def input_files(self) -> list[Path | InputFile]:
        """The table and all files that were checked."""
        seen = [self._seen[row] for row in sorted(self._seen)]
        return [*([self._table] if self._table else []), *seen]

    def _content(self, row: int) -> bytes:
        path = self._files[row]
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device may never end
                raise BadImageError("is not a file")
            return path.read_bytes()
        except FileNotFoundError as error:
            names = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            near = close_matches(path.name, names)
            raise BadImageError(
                "does not exist", help=f"did you mean {near[0]}?" if near else ""
            ) from error
        except OSError as error:
            raise BadImageError(f"cannot be read: {error.strerror or error}") from error


class IdxImages:
    """Images in idx files, all in memory.

    Args:
        files: The arrays (N, H, W) uint8 of each file.
        others: Files that belong to them.
    """

    def __init__(self, files: Mapping[Path, Array], others: Sequence[Path]) -> None:
        self._paths = [*files, *others]
        self._at = [(path, n) for path, array in files.items() for n in range(len(array))]
        self._arrays = files

    def image(self, row: int, mode: str) -> Image:
        """One of them."""
        from PIL import Image

        path, number = self._at[row]
        return to_mode(Image.fromarray(self._arrays[path][number]), mode)

    check = image

    def named(self, row: int) -> str:
        """Its file and its number in that."""
        path, number = self._at[row]
        return f"{path}, image {number} (from 0)"

    def hashes(self) -> Mapping[int, str]:
        """None: a file holds many."""
        return {}

    def input_files(self) -> list[Path | InputFile]:
        """The files of the images and of their labels."""
        return list(self._paths)
