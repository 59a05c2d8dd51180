"""One registered key: what it names, who brought it, and how it is loaded.

Imports nothing heavy; every plugin passes through here.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal

from model_constructor.errors import ConfigError
from model_constructor.foreign import error_text, stdout_to_stderr

SignaturePolicy = Literal["strict", "best_effort", "runtime_only"]
SIGNATURE_POLICIES: tuple[SignaturePolicy, ...] = ("strict", "best_effort", "runtime_only")

Origin = Literal["core", "first-party", "third-party", "imports", "direct"]

OP_PREFIX = "op:"


@dataclass(frozen=True, slots=True)
class Provider:
    """Who registered a key: a distribution with its version, and the plugin inside it."""

    distribution: str
    version: str = ""
    plugin: str = ""
    origin: Origin = "direct"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".rstrip()


DIRECT = Provider("this process")


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered key.

    Attributes:
        key: The registry key, such as ``optim_cls.AdamW``.
        loads: ``"module:attribute"`` of a lazy target; for a target given as an object, its name.
        provider: Who registered it.
        signature: How strictly keyword arguments are checked against the target's signature.
        requires: Importable modules without which the target cannot be loaded.
        replaces: The distribution whose entry of the same key this one takes the place of.
    """

    key: str
    loads: str
    provider: Provider = DIRECT
    help: str = ""
    tags: tuple[str, ...] = ()
    signature: SignaturePolicy = "strict"
    requires: tuple[str, ...] = ()
    replaces: str | None = None
    given: Any = field(default=None, repr=False, compare=False)

    @property
    def kind(self) -> str:
        return kind_of(self.key)

    @property
    def target(self) -> Any:
        """The class or function itself, imported now if it was not before.

        Raises:
            ConfigError: It cannot be imported; the message names the provider and the reason.
        """
        return self.given if self.given is not None else _load(self)

    def missing_requirements(self) -> tuple[str, ...]:
        """The required modules that are not installed, found without importing any."""
        return tuple(name for name in self.requires if not _is_installed(name))


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that still works, and the one that took its place.

    Attributes:
        old: The former name.
        new: The present one.
        since: The version that renamed it.
        provider: Who renamed it.
        component: The key of the component whose parameter it is; empty for a component itself.
    """

    old: str
    new: str
    since: str
    provider: Provider = DIRECT
    component: str = ""

    def __str__(self) -> str:
        of = f" of {self.component}" if self.component else ""
        by = "" if self.provider == DIRECT else f"{self.provider.distribution} "
        return f"`{self.old}`{of} is called `{self.new}` since {by}{self.since}"


def kind_of(key: str) -> str:
    """The kind a key belongs to: ``optim_cls``, ``op``, or ``block`` for a key without a prefix."""
    if key.startswith(OP_PREFIX):
        return "op"
    kind, dot, _ = key.partition(".")
    return kind if dot else "block"


def normalized(distribution: str) -> str:
    """A distribution name in the form in which two spellings of it are equal (PEP 503)."""
    return distribution.lower().replace("_", "-").replace(".", "-")


def _is_installed(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None  # None is how Python notes a blocked import
    try:
        return _find(module, tuple(sys.path), tuple(map(id, sys.meta_path)))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - looking for a submodule imports its parent
        return False


@lru_cache(maxsize=64)
def _find(module: str, path: tuple[str, ...], finders: tuple[int, ...]) -> bool:
    """Look a module up once for all the entries that need it, while the search stays the same.

    Raises:
        ModuleNotFoundError: It is not there. Exceptions are not kept, so what is installed later
            is found later.
    """
    with stdout_to_stderr():
        if find_spec(module) is None:
            raise ModuleNotFoundError(module)
    return True


def _load(entry: Entry) -> Any:
    missing = entry.missing_requirements()
    if missing:
        raise ConfigError(
            f"`{entry.key}` from {entry.provider} needs {', '.join(missing)}, "
            "which is not installed here",
            code="OT0303",
            help=f"pip install {' '.join(missing)}",
        )
    module, _, attribute = entry.loads.partition(":")
    plugin = entry.provider.plugin
    try:
        with stdout_to_stderr():
            target: Any = importlib.import_module(module)
            for name in attribute.split("."):
                target = getattr(target, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ConfigError(
            f"`{entry.key}` from {entry.provider} cannot be loaded from {entry.loads}: "
            f"{error_text(error)}",
            code="OT0304",
            help=f"ot list-components --plugin {plugin} --check" if plugin else "",
        ) from error
    return target
