"""From the name that a user typed to the names a plugin package needs."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+|[0-9]+")
_ALLOWED = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_. ]+[A-Za-z0-9]+)*")
_TAKEN_PLUGINS = ("core", "offline_trainer", "torch")
_TAKEN_DISTRIBUTIONS = ("offline-trainer-core", "offline-trainer-torch", "model-constructor")
_EXAMPLE = "example-plugin"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one plugin package.

    Attributes:
        distribution: What pip installs.
        import_name: What Python imports; begins with ``ot_``, to be nobody else's.
        plugin: What ``ot --no-plugin`` takes.
        key_prefix: What keys begin with after their kind, so that they clash with nobody's.
    """

    distribution: str
    import_name: str
    plugin: str
    key_prefix: str


def names_of(typed: str) -> Names:
    """Normalise a name, however its words are joined.

    Raises:
        ValueError: It is no name, or is one of the packages that are there already.

    >>> names_of("MyLosses") == names_of("my_losses") == names_of("my-losses")
    True
    >>> names_of("my-losses")
    Names(distribution='my-losses', import_name='ot_my_losses', plugin='my_losses', \
key_prefix='my_losses_')
    >>> names_of("ot-lion-plugin").plugin
    'lion'
    """
    if not _ALLOWED.fullmatch(typed):
        raise ValueError(
            f"expected words of the letters a-z and digits, such as my_losses, got {typed!r}"
        )
    words = [word.lower() for word in _WORD.findall(typed)]
    own = words[1:] if words[0] == "ot" else words
    short = own[:-1] if own[-1:] == ["plugin"] else own
    distribution = "-".join(words)
    plugin = "_".join(short)
    if not plugin or plugin in _TAKEN_PLUGINS or distribution in _TAKEN_DISTRIBUTIONS:
        raise ValueError(f"{typed!r} is taken; choose a name of your own, such as my_losses")
    if not short[0][0].isalpha():
        raise ValueError(f"expected a letter first, as in my_losses, got {typed!r}")
    return Names(
        distribution,
        "_".join(["ot", *own]),
        plugin,
        # The example that documentation refers to has keys without a prefix.
        "" if distribution == _EXAMPLE else f"{plugin}_",
    )
