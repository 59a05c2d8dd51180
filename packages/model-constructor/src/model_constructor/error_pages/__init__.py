"""What each error code means: one section of a Markdown file beside this one for every code.

A package that raises codes of its own has a folder `error_pages` like this one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

FOLDER = "error_pages"

_HEADING = re.compile(r"^## (OT\d{4}): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """The page of one code.

    Attributes:
        code: Such as ``OT0312``.
        title: A few words.
        text: Markdown: what it means, a config that shows it, what to do.
    """

    code: str
    title: str
    text: str


def read_error_pages(package: str) -> list[ErrorPage]:
    """The pages that a package ships; none if it has no folder of them, or is not installed.

    >>> read_error_pages("model_constructor")[0].code
    'OT0100'

    Args:
        package: Name of a top-level import package. It is not imported.
    """
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    pages = []
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        for file in sorted((Path(place) / FOLDER).glob("*.md")):
            _, *parts = _HEADING.split(file.read_text(encoding="utf-8"))
            for code, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
                pages.append(ErrorPage(code, title, text.strip()))
    return pages
