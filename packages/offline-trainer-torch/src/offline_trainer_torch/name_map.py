"""Gives the tensors of a file the names that a config's models have: rules with ``*``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from model_constructor.errors import close_matches
from offline_trainer_torch.weight_file import WeightFileError, listed


def map_names(
    names: Sequence[str], rules: Sequence[str], default: Callable[[str], str]
) -> dict[str, str]:
    """What each name becomes; a name that a rule leaves out is not in it.

    Args:
        names: As the file has them.
        rules: ``OLD=NEW``, where each ``*`` of OLD is any text and stands for it in NEW; nothing
            after the ``=`` leaves out. The first that fits is used.
        default: What a name becomes that no rule fits.

    Raises:
        WeightFileError: A rule is malformed or fits nothing, or two names become one.

    >>> map_names(["module.w", "b", "head.w"], ["module.*=net.*", "head.*="], "model.{}".format)
    {'module.w': 'net.w', 'b': 'model.b'}
    """
    patterns = [_pattern(rule) for rule in rules]
    used: set[int] = set()
    mapped: dict[str, str] = {}
    for name in names:
        new = default(name)
        for index, (pattern, target) in enumerate(patterns):
            match = pattern.fullmatch(name)
            if match is not None:
                used.add(index)
                first, *others = target.split("*")
                new = first + "".join(map(str.__add__, match.groups(), others))
                break
        if new:
            mapped[name] = new
    for index, rule in enumerate(rules):
        if index not in used:
            near = close_matches(rule.partition("=")[0], names)
            raise WeightFileError(
                f"--map {rule} fits no name of the file",
                help=f"they are {listed(near or names)}",
            )
    taken: dict[str, str] = {}
    for name, new in mapped.items():
        if taken.setdefault(new, name) != name:
            raise WeightFileError(f"`{taken[new]}` and `{name}` would both be called `{new}`")
    return mapped


def _pattern(rule: str) -> tuple[re.Pattern[str], str]:
    old, equals, new = rule.partition("=")
    if not old or not equals or new.count("*") > old.count("*"):
        raise WeightFileError(
            f"--map {rule}: expected OLD=NEW, with no more * in NEW than in OLD",
            help="such as --map 'module.*=model.*'; --map 'head.*=' leaves tensors out",
        )
    return re.compile("(.*)".join(map(re.escape, old.split("*"))), re.DOTALL), new
