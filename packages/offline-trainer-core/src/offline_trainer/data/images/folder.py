"""The images below a folder, whose subfolders say what they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_constructor.errors import ParameterError
from model_constructor.listing import first_few
from offline_trainer.data.files import check_exists, unreadable
from offline_trainer.data.images.pillow import SUFFIXES
from offline_trainer.notices import notice

_SHOWN = 5


def read_levels(levels: object, target: str) -> tuple[str, ...]:
    """The parameter ``levels``: what each level of folders says, from the outermost in.

    Raises:
        ParameterError: They are no list of names, or the target is not among them.
    """
    if levels is None:
        return (target,)
    names = list(levels) if isinstance(levels, (list, tuple)) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ParameterError(
            f"levels must be a list of names, got {levels!r}",
            parameter="levels",
            help="levels: [part, label] for folders such as train/cat",
        )
    if target not in names or len(set(names)) < len(names):
        raise ParameterError(
            f"levels must have `{target}` and every name once, got {levels!r}", parameter="levels"
        )
    return tuple(names)


def sorted_images(folder: Path, levels: Sequence[str]) -> list[Path]:
    """All images that lie as deep below a folder as there are levels, in the order of their paths.

    Files that are no PNG or JPEG by their names are left out with a notice, hidden ones without.

    Raises:
        ParameterError: There are none, a folder has none, or an image lies somewhere else.
    """
    images = images_below(folder)
    for image in images:
        depth = len(image.relative_to(folder).parts) - 1
        if depth != len(levels):
            raise ParameterError(
                f"image {image} lies in {depth} folders below {folder}; expected {len(levels)}: "
                f"{', '.join(levels)}",
                parameter="levels",
                help="say what each level of folders is, such as `levels: [part, label]`",
            )
    for subfolder in _folders_without(folder, images):
        raise ParameterError(
            f"folder {subfolder} has no PNG or JPEG in it",
            parameter="path",
            help="put images into it, or take it out",
        )
    return images


def images_below(folder: Path) -> list[Path]:
    """All images anywhere below a folder, in the order of their paths.

    Raises:
        ParameterError: There are none, or it cannot be read.
    """
    check_exists(folder)
    images: list[Path] = []
    others: list[Path] = []
    for path in _files(folder, frozenset()):
        (images if path.suffix.lower() in SUFFIXES else others).append(path)
    if not images:
        raise ParameterError(f"folder {folder} has no PNG or JPEG in it", parameter="path")
    if others:
        names = first_few((path.relative_to(folder) for path in others), _SHOWN)
        notice(f"left out of {folder}, no PNG or JPEG by their names: {names}")
    return images


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:
        raise ParameterError(f"{folder} is a link to a folder that it lies in", parameter="path")
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries)
    except OSError as error:
        raise unreadable(folder, error) from error
    for name, is_folder in found:
        if name.startswith("."):
            continue
        if is_folder:
            yield from _files(folder / name, above | {real})
        else:
            yield folder / name


def _folders_without(folder: Path, images: Sequence[Path]) -> Iterator[Path]:
    """The folders below one that have no image, nor anything below them."""
    having = {parent for image in images for parent in image.parents}
    for place, names, _ in os.walk(folder, followlinks=True):
        names[:] = sorted(name for name in names if not name.startswith("."))
        yield from (Path(place, name) for name in names if Path(place, name) not in having)
