"""``${env:…}``: environment variables as values, and which of them must never be shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from model_constructor.config.expressions import Reference
from model_constructor.config.late_typing import coerce
from model_constructor.config.nodes import Node, Origin, from_python, replaced_everywhere
from model_constructor.config.scalars import parse_scalar
from model_constructor.config.text import SURROGATE
from model_constructor.errors import ConfigError, close_matches
from model_constructor.redaction import is_secret

_TYPES = {"int": int, "float": float, "bool": bool}


def environment_value(
    reference: Reference, environ: Mapping[str, str], origin: Origin
) -> Node | None:
    """The variable's value by the scalar rules of a file; None if it is not set.

    Raises:
        ConfigError: The value is not of the declared type.
    """
    text = environ.get(reference.env)
    if text is None:
        return None
    secret = is_secret(reference.env)
    if SURROGATE.search(text):
        raise _wrong(reference, "its value is not valid text")
    if reference.env_type == "json":
        try:
            node = from_python(json.loads(text), origin)
        except (ValueError, RecursionError) as error:
            # The value itself may be secret, so only JSON's own words are repeated.
            reason = error.message if isinstance(error, ConfigError) else str(error)
            reason = "its value is not valid JSON" if secret else f"not valid JSON: {reason}"
            raise _wrong(reference, reason) from None
        if secret and _holds_mapping(node):
            # Its keys would be in paths, of errors and of listings, which must stay readable.
            raise _wrong(
                reference,
                "a mapping cannot be kept secret, its keys would be shown",
                help="give each of its values a variable of its own, or have it as a text: "
                f"${{env:{reference.env}}}",
            )
        return replaced_everywhere(node, secret=True) if secret else node
    try:
        value = parse_scalar(text)
        if reference.env_type:
            value = coerce(value, _TYPES[reference.env_type])
    except ValueError as error:
        reason = f"its value is no {reference.env_type or 'value'}" if secret else str(error)
        raise _wrong(reference, reason) from None
    return Node(value, origin, text=text, secret=secret)


def secret_texts(node: Node) -> Iterator[str]:
    """The texts that must not be shown because of this value: as read, and as typed."""
    if isinstance(node.value, list):
        for item in node.value:
            yield from secret_texts(item)
    elif node.secret:
        yield str(node.value)
        if node.text:
            yield node.text


def missing_variable(reference: Reference, environ: Mapping[str, str]) -> ConfigError:
    """The error for a variable that is not set."""
    return ConfigError(
        f"environment variable `{reference.env}` is not set",
        code="OT0243",
        suggestions=close_matches(reference.env, sorted(environ)),
        help=f"set it, or give a default: ${{env:{reference.env},value}}",
    )


def _holds_mapping(node: Node) -> bool:
    value = node.value
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_mapping, value)))


def _wrong(reference: Reference, reason: str, help: str = "") -> ConfigError:
    message = f"environment variable `{reference.env}`: {reason}"
    return ConfigError(message, code="OT0244", help=help)
