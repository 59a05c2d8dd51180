"""A few of many names in one line of a message."""

from __future__ import annotations

from collections.abc import Iterable


def first_few(items: Iterable[object], most: int, separator: str = ", ") -> str:
    """The first of some items, and how many more there are.

    Args:
        items: What is named.
        most: How many are shown.
        separator: What stands between them.

    >>> first_few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    texts = [str(item) for item in items]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more
