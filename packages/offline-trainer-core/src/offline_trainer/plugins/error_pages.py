"""What error codes mean: pages of all installed packages, none of which is imported for it."""

from __future__ import annotations

from model_constructor.error_pages import ErrorPage, read_error_pages
from offline_trainer.plugins.discovery import discover


def error_pages() -> dict[str, ErrorPage]:
    """The pages of all installed packages, by code and sorted by it."""
    packages = ["model_constructor", *(p.module.partition(".")[0] for p in discover())]
    pages = [page for name in dict.fromkeys(packages) for page in read_error_pages(name)]
    return {page.code: page for page in sorted(pages, key=lambda page: page.code)}
