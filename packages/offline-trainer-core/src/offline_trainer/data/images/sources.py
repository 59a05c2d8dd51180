"""Where images come from, and what is said of each: a folder, a table, or idx files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_constructor.errors import ParameterError, close_matches
from model_constructor.listing import first_few
from offline_trainer.data.batches import Array
from offline_trainer.data.files import check_exists
from offline_trainer.data.images.folder import images_below, sorted_images
from offline_trainer.data.images.idx import read_idx
from offline_trainer.data.images.pillow import SUFFIXES
from offline_trainer.data.images.stored import IdxImages, ImageFiles, StoredImages
from offline_trainer.data.table_files import open_table
from offline_trainer.protocols import Values

PATH = "path"
_IDX_IMAGES = "-images-idx3-ubyte"
_IDX_LABELS = "-labels-idx1-ubyte"
_IDX_PARTS = {"t10k": "test"}
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Source:
    """Images with what is said of them.

    Attributes:
        images: Their pixels.
        length: How many there are.
        texts: A column of texts by its name, such as the labels.
        columns: The names of these columns.
        place: Where a row is, for messages.
        carried: What is written beside predictions.
    """

    images: StoredImages
    length: int
    texts: Callable[[str], Sequence[str | None]]
    columns: Sequence[str]
    place: Callable[[int], str]
    carried: Mapping[str, Values]

    def column(self, name: str, *parameter: str | int) -> Sequence[str | None]:
        """What a column says of each image.

        Raises:
            ParameterError: There is no such column.
        """
        if name not in self.columns:
            raise ParameterError(
                f"the images have no column `{name}`",
                parameter=parameter,
                suggestions=close_matches(name, self.columns),
                help=f"there are {first_few(self.columns, _SHOWN)}",
            )
        return self.texts(name)


def open_source(path: Path, levels: Sequence[str], image: str, delimiter: str) -> Source:
    """The images of a data set.

    Args:
        path: A folder with images below it or with idx files in it, or a table.
        levels: What each level of folders says.
        image: The column of a table with the paths of the images, from the table's own folder.
        delimiter: The character between the cells of a CSV file.

    Raises:
        ParameterError: It cannot be read, or has no images.
    """
    check_exists(path)
    if not path.is_dir():
        return _of_table(path, image, delimiter)
    if _idx_files(path):
        return _of_idx_files(path)
    files = sorted_images(path, levels)
    names = [file.relative_to(path).parts for file in files]
    columns = {level: [each[depth] for each in names] for depth, level in enumerate(levels)}
    return _of_files(path, files, columns)


def open_new(path: Path, image: str, delimiter: str) -> Source:
    """Images to predict for: all below a folder, those of a table or of idx files, or one.

    Raises:
        ParameterError: As of `open_source`.
    """
    check_exists(path)
    if path.is_dir():
        if _idx_files(path):
            return _of_idx_files(path)
        return _of_files(path, images_below(path), {})
    if path.suffix.lower() in SUFFIXES:
        return _of_files(path.parent, [path], {})
    return _of_table(path, image, delimiter)


def _of_files(folder: Path, files: Sequence[Path], columns: Mapping[str, Sequence[str]]) -> Source:
    names = [file.relative_to(folder).as_posix() for file in files]
    return Source(
        ImageFiles(files),
        len(files),
        columns.__getitem__,
        tuple(columns),
        lambda row: str(files[row]),
        {PATH: names},
    )


def _of_table(path: Path, image: str, delimiter: str) -> Source:
    rows = open_table(path, delimiter)
    if image not in rows.names:
        raise ParameterError(
            f"{path} has no column `{image}`",
            parameter="image",
            suggestions=close_matches(image, rows.names),
            help=f"its columns are {first_few(rows.names, _SHOWN)}",
        )
    names = rows.texts([image])[image]
    for row, name in enumerate(names):
        if not name:
            raise ParameterError(
                f"{rows.place(row)}, column `{image}`: the cell is empty", parameter="path"
            )
    files = [path.parent / str(name) for name in names]
    return Source(
        ImageFiles(files, path, rows.place),
        len(rows),
        lambda name: rows.texts([name])[name],
        tuple(rows.names),
        rows.place,
        rows.carried(),
    )


def _idx_files(folder: Path) -> list[Path]:
    """The idx files of images in a folder, by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.endswith((_IDX_IMAGES, f"{_IDX_IMAGES}.gz")) and path.is_file()
    )


def _of_idx_files(folder: Path) -> Source:
    """Images with the columns ``label`` and ``part``, which the names of the files say."""
    images: dict[Path, Array] = {}
    others = []
    label: list[str] = []
    part: list[str] = []
    for path in _idx_files(folder):
        prefix = path.name.partition(_IDX_IMAGES)[0]
        beside = path.with_name(path.name.replace(_IDX_IMAGES, _IDX_LABELS))
        array, labels = read_idx(path), read_idx(beside)
        if array.ndim != 3 or labels.shape != array.shape[:1]:
            raise ParameterError(
                f"{path} has the shape {array.shape} and {beside.name} {labels.shape}; expected "
                "(N, H, W) and (N,)",
                parameter="path",
            )
        images[path] = array
        others.append(beside)
        label += map(str, labels.tolist())
        part += [_IDX_PARTS.get(prefix, prefix)] * len(labels)
    of_all = IdxImages(images, others)
    columns = {"label": label, "part": part}
    names = [f"{path.name}[{n}]" for path, array in images.items() for n in range(len(array))]
    return Source(
        of_all,
        len(label),
        columns.__getitem__,
        tuple(columns),
        of_all.named,
        {PATH: names, **columns},
    )
