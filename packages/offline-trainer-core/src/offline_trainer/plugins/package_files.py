"""Files that an installed package ships: what ``pkg://distribution/path.yaml`` names.

Works for wheels and for editable installs, because the package is found the way an import finds
it; nothing is imported. Of the metadata only the names of a distribution's packages are used.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from model_constructor.config.includes import PACKAGE_FILE_NOT_FOUND as NOT_FOUND
from model_constructor.errors import ConfigError, close_matches

MALFORMED = "OT0205"
_SUFFIXES = (".yaml", ".yml")
_MAX_LISTED = 8


def package_file(name: str, path: str) -> Path:
    """The file at ``path`` inside the import package of an installed distribution.

    >>> package_file("offline-trainer-core", "py.typed").name
    'py.typed'

    Args:
        name: The distribution, such as ``ot-lion``.
        path: Where the file lies below the package's folder, with ``/`` between the parts.

    Raises:
        ConfigError: The path leaves the package, the distribution is not installed, or it has no
            such file.
    """
    # Slow to load, and most configs name no such file.
    from importlib_metadata import PackageNotFoundError, distribution, distributions, version

    written = f"pkg://{name}/{path}"
    parts = path.split("/")
    reasons = {
        "`..`": ".." in parts,
        "a backslash": "\\" in path,
        "an absolute path": PurePosixPath(path).is_absolute() or ":" in parts[0],
    }
    found = [reason for reason, applies in reasons.items() if applies]
    if found:
        raise ConfigError(
            f"`{written}` leaves the package: it has {found[0]}",
            code=MALFORMED,
            help="write `pkg://distribution/path.yaml`, a path down from the package's folder",
        )
    try:
        installed = f"{distribution(name).name} {version(name)}"
    except (PackageNotFoundError, ValueError) as error:
        near = close_matches(name, sorted({d.name for d in distributions() if d.name}))
        raise ConfigError(
            f"`{written}`: no distribution `{name}` is installed",
            code=NOT_FOUND,
            suggestions=[f"pkg://{other}/{path}" for other in near],
            help=f"pip install {name}",
        ) from error
    folders = package_folders(name)
    for folder in folders:
        if (folder / path).is_file():
            return folder / path
    raise _no_such_file(installed, name, path, folders)


def package_folders(distribution_name: str) -> list[Path]:
    """The folders of an installed distribution's import packages."""
    folders: list[Path] = []
    for name in _package_names(distribution_name):
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            continue
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            if Path(place) not in folders:
                folders.append(Path(place))
    return folders


def _package_names(distribution_name: str) -> list[str]:
    from importlib_metadata import distribution

    found = distribution(distribution_name)
    # An editable install lists no files, so its entry points and its own name are asked as well.
    names = [point.module.partition(".")[0] for point in found.entry_points]
    names += (found.read_text("top_level.txt") or "").split()
    for file in found.files or ():
        first = file.parts[0]
        if len(file.parts) > 1 and first.isidentifier():
            names.append(first)
    names.append(found.name.replace("-", "_").replace(".", "_"))
    return [name for name in dict.fromkeys(names) if name.isidentifier()]


def _no_such_file(installed: str, name: str, path: str, folders: list[Path]) -> ConfigError:
    if not folders:
        return ConfigError(
            f"`pkg://{name}/{path}`: {installed} has no import package that can be found here",
            code=NOT_FOUND,
            help=f"ot doctor {name}",
        )
    shipped = sorted(
        file.relative_to(folder).as_posix()
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in _SUFFIXES
    )
    listed = ", ".join(shipped[:_MAX_LISTED]) + (", …" if len(shipped) > _MAX_LISTED else "")
    same_name = [other for other in shipped if other.rpartition("/")[2] == path.rpartition("/")[2]]
    near = [other for other in close_matches(path, shipped) if other not in same_name]
    return ConfigError(
        f"`pkg://{name}/{path}`: {installed} has no such file",
        code=NOT_FOUND,
        suggestions=[f"pkg://{name}/{other}" for other in [*same_name, *near][:3]],
        help=f"its YAML files: {listed}" if shipped else "it ships no YAML file",
    )
