"""Reads what both forms of a model have: the names of its inputs, and what it returns."""

from __future__ import annotations

from typing import cast, get_args

from model_constructor.errors import ConfigPath
from model_constructor.graph.ir import ReturnPolicy
from model_constructor.graph.problems import Problems, Section


def read_inputs(section: Section, path: ConfigPath, problems: Problems) -> tuple[str, ...]:
    """The names under ``inputs``: the parameters of the model's ``forward``."""
    if not problems.required(section, "inputs", path):
        return ()
    inputs_path = (*path, "inputs")
    items = problems.sequence(section["inputs"], inputs_path, "names")
    if not items and isinstance(section["inputs"], (list, tuple)):
        problems.add("OT0404", "`inputs` is empty", inputs_path)
    names: list[str] = []
    for index, item in enumerate(items):
        item_path = (*inputs_path, index)
        if item in names:
            problems.add("OT0406", f"input `{item}` is named twice", item_path)
        elif problems.name(item, item_path, "an input"):
            names.append(item)
    return tuple(names)


def read_return(section: Section, path: ConfigPath, problems: Problems) -> ReturnPolicy | None:
    """The word under ``return``, or None where the section leaves it open."""
    word = section.get("return")
    if word is None or not problems.choice(word, (*path, "return"), get_args(ReturnPolicy)):
        return None
    return cast(ReturnPolicy, word)
