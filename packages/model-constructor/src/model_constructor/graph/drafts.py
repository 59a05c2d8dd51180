"""Reads the nodes of a graph, in each of the three ways to write them, in order of execution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model_constructor.errors import ConfigPath, Note, close_matches
from model_constructor.graph.problems import Problems, Section

_CALL_KEYS = ("call", "args", "kwargs")


@dataclass(frozen=True, slots=True)
class Draft:
    """A node as written: its name, and the mapping that says what it calls.

    Where one of the two could not be read, the name is empty or the section None.
    """

    name: str
    section: Section | None
    path: ConfigPath


def read_drafts(
    section: Section, path: ConfigPath, inputs: Sequence[str], problems: Problems
) -> list[Draft]:
    forms = [form for form in ("nodes", "steps") if form in section]
    if len(forms) != 1:
        problems.add(
            "OT0401",
            f"a graph has either `nodes` or `steps`, got {' and '.join(forms) or 'neither'}",
            path,
        )
        return []
    form = forms[0]
    value, form_path = section[form], (*path, form)
    if form == "nodes" and isinstance(value, Mapping):
        named = problems.mapping(value, form_path, "nodes")
        drafts = _ordered(named, section, path, problems)
    else:
        if "order" in section:
            problems.add(
                "OT0413",
                f"`order` belongs to `nodes` written as a mapping; this `{form}` is a list",
                (*path, "order"),
                at_key=True,
            )
        drafts = _listed(value, form_path, "name" if form == "nodes" else "out", problems)
    _check_duplicates(drafts, inputs, problems)
    return drafts


def _listed(value: object, path: ConfigPath, name_key: str, problems: Problems) -> list[Draft]:
    drafts = []
    for index, item in enumerate(problems.sequence(value, path, "nodes")):
        node_path = (*path, index)
        section = _read_section(item, node_path, (name_key, *_CALL_KEYS), problems)
        name = ""
        if section is not None and problems.required(section, name_key, node_path):
            name = section[name_key]
            name = name if problems.name(name, (*node_path, name_key), "a node") else ""
        drafts.append(Draft(name, section, node_path))
    return drafts


def _ordered(nodes: Section, section: Section, path: ConfigPath, problems: Problems) -> list[Draft]:
    order_path = (*path, "order")
    drafts: dict[str, Draft] = {}
    for name, item in nodes.items():
        node_path = (*path, "nodes", name)
        problems.name(name, node_path, "a node", at_key=True)
        drafts[name] = Draft(name, _read_section(item, node_path, _CALL_KEYS, problems), node_path)
    if "order" not in section:
        problems.add(
            "OT0413",
            "`nodes` is a mapping, so `order` has to say in which order they run",
            (*path, "nodes"),
            at_key=True,
            help=f"add `order: [{', '.join(nodes)}]` or write `nodes` as a list",
        )
        return []
    before = len(problems.errors)
    order: list[str] = []
    for index, name in enumerate(problems.sequence(section["order"], order_path, "node names")):
        if not isinstance(name, str) or name not in nodes:
            problems.add(
                "OT0413",
                f"`order` names {name!r}, which is not a node",
                (*order_path, index),
                suggestions=close_matches(name, nodes),
            )
        elif name in order:
            problems.add("OT0413", f"`order` names `{name}` twice", (*order_path, index))
        else:
            order.append(name)
    for name in nodes:
        if name not in order:
            problems.add("OT0413", f"`order` leaves out node `{name}`", order_path)
    return [drafts[name] for name in order] if len(problems.errors) == before else []


def _read_section(
    item: object, path: ConfigPath, accepted: Sequence[str], problems: Problems
) -> Section | None:
    section = problems.mapping(item, path, ", ".join(accepted))
    problems.check_keys(section, path, accepted)
    return section if isinstance(item, Mapping) else None


def _check_duplicates(drafts: Iterable[Draft], inputs: Iterable[str], problems: Problems) -> None:
    taken: dict[str, tuple[str, ConfigPath | None]] = dict.fromkeys(inputs, ("an input", None))
    for draft in drafts:
        if draft.name in taken:
            what, path = taken[draft.name]
            notes = [Note(f"`{draft.name}` is {what} here", problems.span(path))] if path else []
            message = f"node `{draft.name}` has the name of {what}"
            problems.add("OT0406", message, draft.path, notes=notes)
        elif draft.name:
            taken[draft.name] = ("an earlier node", draft.path)
