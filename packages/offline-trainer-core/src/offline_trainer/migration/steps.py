"""What a file needs to be up to date: version steps, then renamed keys, then renamed components.

A step looks at one file and answers with edits. A new `schema_version` adds a step to `VERSIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from model_constructor.aliases import OldName, old_names
from model_constructor.config.renamed_keys import RENAMED, Renamed, field_at
from model_constructor.config.schema import SCHEMA_VERSION
from model_constructor.errors import raise_collected
from model_constructor.registry import Registry
from model_constructor.source_map import SourceMap
from offline_trainer.migration.document import Document, Edit

Step = Callable[[Document], Iterable[Edit]]

VERSIONS: Mapping[int, Step] = {}
"""What leads from a `schema_version` to the next."""


def needed_edits(
    document: Document,
    registry: Registry,
    *,
    versions: Mapping[int, Step] = VERSIONS,
    renamed: Renamed = RENAMED,
) -> list[Edit]:
    """The edits that a file needs next; after them there may be more.

    Raises:
        ConfigError: Plugins disagree about a former name.
    """
    edits = list(_version_edits(document, versions))
    if not edits:
        edits = [*_key_edits(document, renamed), *_component_edits(document, registry)]
    return edits


def edit_of(use: OldName, sources: SourceMap) -> Edit | None:
    """The edit for the use of a former name; None where it was not written in a file."""
    alias = use.alias
    span = sources.key_span(use.path) if use.at_key else sources.span(use.path)
    if span is None:
        return None
    return Edit(span, alias.old, alias.new, str(alias))


def _version_edits(document: Document, versions: Mapping[int, Step]) -> Iterator[Edit]:
    version = document.data.get("schema_version")
    span = document.sources.span(("schema_version",))
    if type(version) is int and version < SCHEMA_VERSION and version in versions and span:
        yield from versions[version](document)
        new = str(version + 1)
        yield Edit(span, str(version), new, f"`schema_version` is {SCHEMA_VERSION} now")


def _key_edits(document: Document, renamed: Renamed) -> Iterator[Edit]:
    for path, present in renamed.items():
        field = field_at(document.root, path)
        if field is not None and field.key_span is not None:
            old = str(path[-1])
            reason = f"`{old}` is called `{present.name}` since {present.since}"
            yield Edit(field.key_span, old, present.name, reason)


def _component_edits(document: Document, registry: Registry) -> Iterator[Edit]:
    found, errors = old_names(document.data, registry)
    raise_collected(
        [error.located((), document.sources.span(error.config_path)) for error in errors]
    )
    for use in found:
        edit = edit_of(use, document.sources)
        if edit is not None:
            yield edit
