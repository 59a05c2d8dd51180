"""`param_groups` of an optimizer: parameters chosen by name, with settings of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from model_constructor.errors import ParameterError, close_matches

MATCH = "match"
NAME = "name"
_WHERE = "param_groups"


def check_groups(groups: Sequence[Mapping[str, Any]], key: str, accepted: Sequence[str]) -> None:
    """Check how groups are written, before there is a model.

    Args:
        groups: As the config has them.
        key: What the config calls the optimizer's class.
        accepted: The settings that the class takes.

    Raises:
        ParameterError: A group lacks patterns, or sets what the class does not take.
    """
    seen: list[Any] = []
    for index, group in enumerate(groups):
        if NAME in group and group[NAME] in seen:
            raise ParameterError(
                f"two groups are called {group[NAME]!r}", parameter=(_WHERE, index, NAME)
            )
        seen += [group[NAME]] if NAME in group else []
        if not _patterns(group) or not all(isinstance(item, str) for item in _patterns(group)):
            raise ParameterError(
                f"a group of parameters needs `{MATCH}`: a pattern of their names, or a list of "
                f"patterns; got {group.get(MATCH)!r}",
                parameter=(_WHERE, index, *((MATCH,) if MATCH in group else ())),
                help='such as `match: "*.bias"`; * stands for any text',
            )
        for name in _settings(group):
            if name not in accepted:
                raise ParameterError(
                    f"`{name}` is not a setting of {key}",
                    parameter=(_WHERE, index, name),
                    suggestions=close_matches(name, [*accepted, MATCH, NAME]),
                    help=f"accepted: {', '.join([MATCH, NAME, *accepted])}",
                )


def settings_of(group: Mapping[str, Any]) -> dict[str, Any]:
    """What a group sets of the optimizer's settings."""
    return {name: group[name] for name in _settings(group)}


def make_groups(
    named: Mapping[str, nn.Parameter], groups: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The groups as torch takes them; each parameter is in the first group that names it.

    Args:
        named: The trainable parameters.
        groups: As the config has them. What none of them names comes first, with the optimizer's
            own settings.

    Raises:
        ParameterError: A pattern names no parameter that is left.

    >>> layer = nn.Linear(3, 2)
    >>> made = make_groups(dict(layer.named_parameters()), [{"match": "bias", "weight_decay": 0.0}])
    >>> [(len(group["params"]), group.get("weight_decay")) for group in made]
    [(1, None), (1, 0.0)]
    """
    left = dict(named)
    made = []
    for index, group in enumerate(groups):
        chosen: dict[str, nn.Parameter] = {}
        for position, pattern in enumerate(_patterns(group)):
            found = {name: left[name] for name in left if fnmatchcase(name, pattern)}
            if not found:
                listed = not isinstance(group[MATCH], str)
                place = (_WHERE, index, MATCH, *((position,) if listed else ()))
                raise _no_match(pattern, named, left, place)
            chosen |= found
        left = {name: item for name, item in left.items() if name not in chosen}
        made.append({"params": list(chosen.values()), **settings_of(group)})
    rest = [{"params": list(left.values())}] if left else []
    return [*rest, *made]


def labels(groups: Sequence[Mapping[str, Any]], made: int) -> list[str]:
    """What the groups that `make_groups` has made are called in logs; the rest has no name.

    Args:
        groups: As the config has them.
        made: How many there are.
    """
    named = [str(group.get(NAME, index)) for index, group in enumerate(groups, 1)]
    return [*[""] * (made - len(named)), *named]


def _no_match(
    pattern: str,
    named: Mapping[str, nn.Parameter],
    left: Mapping[str, nn.Parameter],
    place: tuple[str | int, ...],
) -> ParameterError:
    taken = [name for name in named if name not in left and fnmatchcase(name, pattern)]
    if taken:
        return ParameterError(
            f"`{pattern}` names only parameters that an earlier pattern has: "
            f"{', '.join(taken[:3])}",
            parameter=place,
            help="the first group that names a parameter has it; put the narrower one first",
        )
    return ParameterError(
        f"no trained parameter is called `{pattern}`",
        parameter=place,
        suggestions=close_matches(pattern, named),
        help="* stands for any text; ot model summary lists the parameters",
    )


def _patterns(group: Mapping[str, Any]) -> Sequence[Any]:
    given = group.get(MATCH)
    if isinstance(given, str):
        return [given]
    return list(given) if isinstance(given, (list, tuple)) else []


def _settings(group: Mapping[str, Any]) -> list[str]:
    return [name for name in group if name not in (MATCH, NAME)]
