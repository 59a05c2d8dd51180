"""Explicit YAML tags: the core ones (``!!str``, ``!!int``, …) and nothing else."""

from __future__ import annotations

from typing import Any

from model_constructor.config.scalars import Scalar, parse_scalar, shorten
from model_constructor.errors import close_matches

_PREFIX = "tag:yaml.org,2002:"
STR_TAG = _PREFIX + "str"
_SCALAR_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}
_COLLECTIONS = ("map", "seq")


def tagged_scalar(text: str, tag: str | None, *, plain: bool) -> Scalar:
    """The value of a scalar under its tag; without one, style decides.

    Raises:
        ValueError: The tag is not a core tag, or the text is not of that type.
    """
    if tag is None:
        return parse_scalar(text) if plain else text
    name = _name(tag)
    if tag == "!" or name == "str":
        return text
    types = _SCALAR_TYPES.get(name)
    if types is None:
        raise ValueError(_refusal(tag, name, "a single value"))
    value = parse_scalar(text)
    if not isinstance(value, types) or (isinstance(value, bool) and name != "bool"):
        raise ValueError(
            f"`{shorten(text)}` is not of type {name}, which its tag `!!{name}` asks for"
        )
    return float(value) if name == "float" and isinstance(value, int) else value


def check_collection_tag(event: Any) -> str:
    """What is wrong with the tag of a collection's start event; empty if nothing is."""
    if event.tag is None or event.tag == "!":
        return ""
    name = _name(event.tag)
    is_mapping = type(event).__name__.startswith("Mapping")
    if name == ("map" if is_mapping else "seq"):
        return ""
    return _refusal(event.tag, name, "a mapping" if is_mapping else "a list")


def _name(tag: str) -> str:
    return tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else ""


def _refusal(tag: str, name: str, what: str) -> str:
    shown = f"!!{name}" if name else tag
    if name in _SCALAR_TYPES or name in _COLLECTIONS:
        return f"tag `{shown}` does not fit {what}"
    nearest = close_matches(name, [*_SCALAR_TYPES, *_COLLECTIONS], limit=1)
    hint = f"; did you mean `!!{nearest[0]}`?" if name and nearest else ""
    return f"tag `{shorten(shown)}` is not supported; only YAML's core tags are{hint}"
