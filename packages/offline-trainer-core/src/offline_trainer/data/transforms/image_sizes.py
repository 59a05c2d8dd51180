"""Sizes of images as parameters of transforms."""

from __future__ import annotations

from model_constructor.errors import ParameterError


def checked_size(size: object) -> tuple[int, int]:
    """The parameter ``size``: one number for both, or ``[height, width]``.

    Raises:
        ParameterError: It is neither.

    >>> checked_size(8), checked_size([4, 6])
    ((8, 8), (4, 6))
    """
    both = list(size) if isinstance(size, (list, tuple)) else [size, size]
    whole = [each for each in both if isinstance(each, int) and not isinstance(each, bool)]
    if len(both) != 2 or len(whole) != 2 or min(whole) < 1:
        raise ParameterError(
            f"size must be a whole number of pixels or [height, width], got {size!r}",
            parameter="size",
        )
    return whole[0], whole[1]


def checked_share(name: str, value: float, *, most: float = 1.0) -> float:
    """A parameter from 0 to 1.

    Raises:
        ParameterError: It is beyond.
    """
    if not 0 <= value <= most:
        raise ParameterError(f"{name} must be from 0 to {most:g}, got {value}", parameter=name)
    return float(value)
