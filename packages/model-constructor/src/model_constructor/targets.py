"""`_target_`: a component named by where it is imported from, where that is allowed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from model_constructor.config.schema import TRUST_IT, Settings
from model_constructor.errors import ConfigError
from model_constructor.foreign import error_text, stdout_to_stderr
from model_constructor.registry import Entry


def target_entry(target: Any, settings: Settings, *, allowed: bool) -> Entry:
    """An entry made for a ``_target_``, which is imported for it.

    Args:
        target: ``"module:name"``.
        settings: The config's settings; they have to allow it too.
        allowed: The caller's permission.

    Raises:
        ConfigError: It is not allowed, malformed, or cannot be imported.
    """
    if settings.untrusted:
        raise ConfigError(
            "an untrusted configuration cannot use `_target_`, which can call anything",
            code="OT0317",
            help=f"use a registry key in `_type_`, or read what it calls and {TRUST_IT}",
        )
    if not settings.allow_target or not allowed:
        raise ConfigError(
            "`_target_` is not allowed here",
            code="OT0317",
            help="it can call anything, so it needs `settings.allow_target: true` in the file "
            "and the caller's permission (--allow-target); prefer a registry key in `_type_`",
        )
    if not isinstance(target, str) or ":" not in target:
        raise ConfigError(f"`_target_` must be 'module:name', got {target!r}", code="OT0317")
    module, _, name = target.partition(":")
    if not prefix_allowed(module, settings.allowed_import_prefixes):
        prefixes = ", ".join(settings.allowed_import_prefixes)
        raise ConfigError(
            f"`{target}` is outside settings.allowed_import_prefixes ({prefixes or 'empty'})",
            code="OT0318",
            help=f"add `{module}` to it if you trust that code",
        )
    try:
        with stdout_to_stderr():
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # any code runs at an import
        raise ConfigError(
            f"`{target}` cannot be imported: {error_text(error)}", code="OT0317"
        ) from error
    return Entry(target, target, given=found)


def prefix_allowed(module: str, prefixes: Sequence[str]) -> bool:
    """Whether a module lies under an allowed prefix; prefixes end at a dot.

    >>> prefix_allowed("torch_evil", ["torch."])
    False
    >>> prefix_allowed("torch", ["torch."]), prefix_allowed("torch.nn", ["torch."])
    (True, True)
    """
    return any((module + ".").startswith(prefix.rstrip(".") + ".") for prefix in prefixes if prefix)
