"""Reads how a model's parameters start: its ``init``, ``pretrained`` and ``freeze``.

Knows their shape only; the components they name are built with the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_constructor.errors import ConfigPath
from model_constructor.graph.ir import WEIGHTS, Start
from model_constructor.graph.problems import Problems, Section

START_KEYS = ("init", "pretrained", "freeze")


def read_start(section: Section, path: ConfigPath, problems: Problems) -> Start:
    """The start that a model section asks for; what is wrong with it goes to ``problems``."""
    pretrained = section.get("pretrained")
    return Start(
        _read_init(section.get("init"), (*path, "init"), problems),
        problems.spec(pretrained, (*path, "pretrained")) if pretrained is not None else None,
        _read_freeze(section.get("freeze"), (*path, "freeze"), problems),
        path,
    )


def _read_init(
    value: object, path: ConfigPath, problems: Problems
) -> tuple[tuple[str, Mapping[str, Any], ConfigPath], ...]:
    if value is None:
        return ()
    if isinstance(value, Mapping) and ("_type_" in value or "_target_" in value):
        return ((WEIGHTS, value, path),)
    expected = "`_type_` and its arguments, or patterns of parameter names to that"
    patterns = problems.mapping(value, path, expected)
    return tuple(
        (pattern, problems.spec(spec, (*path, pattern)), (*path, pattern))
        for pattern, spec in patterns.items()
    )


def _read_freeze(value: object, path: ConfigPath, problems: Problems) -> tuple[str, ...]:
    if value is None or value is False:
        return ()
    if value is True:
        return ("*",)
    if not isinstance(value, list):
        problems.add(
            "OT0404",
            f"`freeze` is true, false or a list of patterns, got {value!r}",
            path,
            help="such as `freeze: [layer_0.*]`; * stands for any text",
        )
        return ()
    return tuple(
        problems.text(pattern, (*path, index), "a pattern of parameter names")
        for index, pattern in enumerate(value)
    )
