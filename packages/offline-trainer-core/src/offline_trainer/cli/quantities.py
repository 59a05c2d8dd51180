"""Sizes and ages as people read them."""

from __future__ import annotations

_SIZES = ("B", "kB", "MB", "GB", "TB")
_AGES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def size_text(count: float) -> str:
    """Bytes in the largest unit that leaves a whole number before the point.

    >>> size_text(999), size_text(1500), size_text(664_000), size_text(12_345_678_901)
    ('999 B', '1.5 kB', '664 kB', '12.3 GB')
    """
    unit = _SIZES[0]
    for unit in _SIZES:
        if count < 999.5 or unit == _SIZES[-1]:
            break
        count /= 1000
    return f"{count:.1f} {unit}" if unit != "B" and count < 99.95 else f"{count:.0f} {unit}"


def age_text(seconds: float) -> str:
    """How long ago something was.

    >>> age_text(12), age_text(60), age_text(3 * 3600 + 5), age_text(200_000)
    ('just now', '1 min ago', '3 h ago', '2 d ago')
    """
    for length, unit in _AGES:
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"
