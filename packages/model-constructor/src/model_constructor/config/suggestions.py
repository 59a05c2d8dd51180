"""What a path that leads nowhere probably meant."""

from __future__ import annotations

from model_constructor.config.expressions import Reference
from model_constructor.config.nodes import Node, kind
from model_constructor.errors import ConfigError, ConfigPath, close_matches, format_config_path


def missing_segment(
    reference: Reference,
    index: int,
    root: Node,
    here: ConfigPath,
    current: Node,
    user: ConfigPath,
) -> ConfigError:
    """The error for a reference whose segment ``index`` does not exist in ``current``.

    Args:
        here: Path of ``current``.
        user: Path of the value that holds the reference.
    """
    segment = reference.segments[index]
    place = f"`{format_config_path(here)}`" if here else "the configuration"
    rest = reference.segments[index:]
    dots = "." * reference.up
    head = reference.segments[:index]
    if isinstance(current.value, dict):
        suggestions = [
            dots + ".".join(str(part) for part in (*head, *corrected))
            for name in close_matches(segment, current.value)
            if (corrected := _corrected(current, (name, *rest[1:])))
        ]
        if index == 0 and not reference.up and _has_neighbour(root, user, segment):
            suggestions.insert(0, "." + ".".join(str(part) for part in rest))
        return ConfigError(
            f"`{reference.source}`: {place} has no `{segment}`",
            code="OT0241",
            suggestions=[f"${{{suggestion}}}" for suggestion in suggestions],
        )
    if isinstance(current.value, list):
        count = len(current.value)
        return ConfigError(
            f"`{reference.source}`: {place} is a list of {count} without an item `{segment}`",
            code="OT0241",
            help=f"its items are 0 to {count - 1}" if count else "the list is empty",
        )
    return ConfigError(
        f"`{reference.source}`: {place} is {kind(current)} and has no `{segment}`", code="OT0241"
    )


def _corrected(node: Node, segments: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The segments with each unknown one replaced by the nearest that exists."""
    result: list[str | int] = []
    current: Node | None = node
    for segment in segments:
        if current is not None and isinstance(current.value, dict):
            near = (
                (str(segment),)
                if segment in current.value
                else close_matches(segment, current.value, limit=1)
            )
            if not near:
                return tuple(result)
            result.append(near[0])
            current = current.value[near[0]]
        else:
            result.append(segment)
            current = None
    return tuple(result)


def _has_neighbour(root: Node, user: ConfigPath, segment: str | int) -> bool:
    node = root
    for part in user[:-1]:
        if isinstance(node.value, dict):
            node = node.value[str(part)]
        elif isinstance(node.value, list):
            node = node.value[int(part)]
    return isinstance(node.value, dict) and str(segment) in node.value and len(user) > 1
