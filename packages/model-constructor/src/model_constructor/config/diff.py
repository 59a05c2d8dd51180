"""How two resolved configs differ in meaning: not in layout, order of keys, spelling of numbers."""

from __future__ import annotations

import json
import math
import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal

from model_constructor.config.paths import value_at
from model_constructor.errors import ConfigPath
from model_constructor.redaction import HIDDEN
from model_constructor.source_map import SourceMap

IDENTITIES = ("name", "_type_")
"""Fields by which the items of a list are matched, where they tell all of them apart."""

MAX_ALIGNED = 1000

Kind = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two configs.

    Attributes:
        data: Plain data.
        sources: Where its values stand, and how they were typed.
        secrets: Paths whose values are compared and never shown.
    """

    data: Mapping[str, Any]
    sources: SourceMap = field(default_factory=SourceMap)
    secrets: frozenset[ConfigPath] = frozenset()


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs.

    Attributes:
        kind: ``moved`` is the order of a list whose items are matched by name.
        path: As an override spells it: ``callbacks[_type_=cb.early_stopping].patience``.
        before: Its path in the first config; None where it was added.
        after: Its path in the second config; None where it was removed.
    """

    kind: Kind
    path: str
    before: ConfigPath | None
    after: ConfigPath | None


def compare(first: Side, second: Side) -> list[Difference]:
    """Everything that differs, in the order of the first config.

    >>> [each.path for each in compare(Side({"lr": 1e-3}), Side({"lr": 0.001, "seed": 3}))]
    ['seed']
    """
    return list(_Comparison(first, second).values((), (), ""))


class _Comparison:
    def __init__(self, first: Side, second: Side) -> None:
        self.first = first
        self.second = second

    def values(self, before: ConfigPath, after: ConfigPath, name: str) -> Iterator[Difference]:
        a, b = value_at(self.first.data, before), value_at(self.second.data, after)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            for key in {**a, **b}:
                inner = f"{name}.{key}" if name else str(key)
                yield from self.items(
                    (*before, key) if key in a else None, (*after, key) if key in b else None, inner
                )
        elif isinstance(a, list) and isinstance(b, list):
            yield from self.lists(a, b, before, after, name)
        elif not self.same(a, b, before, after):
            yield Difference("changed", name, before, after)

    def items(
        self, before: ConfigPath | None, after: ConfigPath | None, name: str
    ) -> Iterator[Difference]:
        if before is None:
            yield Difference("added", name, None, after)
        elif after is None:
            yield Difference("removed", name, before, None)
        else:
            yield from self.values(before, after, name)

    def lists(
        self, a: list[Any], b: list[Any], before: ConfigPath, after: ConfigPath, name: str
    ) -> Iterator[Difference]:
        identity = _identity(a, b)
        if identity is None:
            for i, j in _aligned(a, b):
                yield from self.items(
                    (*before, i) if i is not None else None,
                    (*after, j) if j is not None else None,
                    f"{name}[{i if i is not None else j}]",
                )
            return
        places = {item[identity]: i for i, item in enumerate(a)}
        others = {item[identity]: i for i, item in enumerate(b)}
        kept = [key for key in places if key in others]
        if kept != [key for key in others if key in places]:
            yield Difference("moved", name, before, after)
        for key in {**places, **others}:
            yield from self.items(
                (*before, places[key]) if key in places else None,
                (*after, others[key]) if key in others else None,
                f"{name}[{identity}={key}]",
            )

    def same(self, a: Any, b: Any, before: ConfigPath, after: ConfigPath) -> bool:
        if isinstance(a, bool) or isinstance(b, bool):
            return a is b
        if isinstance(a, (int, float)) and isinstance(b, (int, float)):
            return a == b or (math.isnan(a) and math.isnan(b))
        if a == b:
            return type(a) is type(b)
        # A run stores its values as their parameters took them: text as typed, absolute paths.
        for side, path, value, other in (
            (self.first, before, a, b),
            (self.second, after, b, a),
        ):
            if path in side.secrets and other == HIDDEN:
                return True
            source = side.sources.get(path)
            if source is None or not isinstance(other, str):
                continue
            if source.text == other:
                return True
            if isinstance(value, str) and source.folder and _is_file(other, value, source.folder):
                return True
        return False


def _is_file(absolute: str, path: str, folder: str) -> bool:
    return absolute == os.path.normpath(Path(folder) / path)


def _identity(a: list[Any], b: list[Any]) -> str | None:
    """The field that tells the items of both lists apart."""
    for name in IDENTITIES:
        if all(_distinct(items, name) for items in (a, b)):
            return name
    return None


def _distinct(items: list[Any], name: str) -> bool:
    values = [item.get(name) if isinstance(item, Mapping) else None for item in items]
    return all(isinstance(value, str) for value in values) and len({*values}) == len(values)


def _aligned(a: list[Any], b: list[Any]) -> Iterator[tuple[int | None, int | None]]:
    """Which item of one list answers which of the other: equal ones first, then like ones."""
    if max(len(a), len(b)) > MAX_ALIGNED:
        yield from _by_position(range(len(a)), range(len(b)))
        return
    for i, j, equal in _blocks([_text(item) for item in a], [_text(item) for item in b]):
        if equal:
            yield from _by_position(i, j)
            continue
        likeness = [_likeness(a[k]) for k in i], [_likeness(b[k]) for k in j]
        for inner_i, inner_j, _ in _blocks(*likeness):
            yield from _by_position(
                i[inner_i.start : inner_i.stop], j[inner_j.start : inner_j.stop]
            )


def _blocks(a: list[str], b: list[str]) -> Iterator[tuple[range, range, bool]]:
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield range(i1, i2), range(j1, j2), tag == "equal"


def _by_position(i: range, j: range) -> Iterator[tuple[int | None, int | None]]:
    for k in range(max(len(i), len(j))):
        yield (i[k] if k < len(i) else None), (j[k] if k < len(j) else None)


def _text(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def _likeness(item: Any) -> str:
    """What two items have in common that are one item, changed."""
    return str(item.get("_type_", "")) if isinstance(item, Mapping) else type(item).__name__
