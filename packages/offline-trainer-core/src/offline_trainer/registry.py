"""The run's registry: installed plugins' keys, then those of the config's own ``imports:``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from model_constructor.errors import ConfigError
from model_constructor.foreign import stdout_to_stderr, text_and_line
from model_constructor.registry import Buffer, Entry, Provider, Registry
from model_constructor.source_map import SourceMap
from offline_trainer.notices import notice
from offline_trainer.plugins.loader import Plugins, load_plugins
from offline_trainer.plugins.missing import why_unknown
from offline_trainer.plugins.problems import problems_of, require_none


def build_registry(plugins: Plugins | None = None) -> Registry:
    """A registry with the lazy keys of every usable plugin; no component is imported.

    Args:
        plugins: Loaded plugins; by default those that are installed.

    Raises:
        OfflineTrainerError: Something is wrong with a plugin and ``OT_STRICT_PLUGINS=1``.

    >>> "trainer.default" in build_registry()
    True
    """
    loaded = plugins or load_plugins()
    registry = Registry()
    for buffer in loaded.buffers:
        registry.commit(buffer)
    registry.explain_unknown = lambda key: why_unknown(key, loaded.statuses)
    registry.add_resolver(lambda key: _resolve(loaded, key))
    if loaded.strict:
        require_none(problems_of(loaded, registry), strict=True)
    return registry


def register_imports(
    registry: Registry, imports: Sequence[str], sources: SourceMap
) -> list[ConfigError]:
    """Import the modules that the config names and let each register its keys.

    The current folder is importable, as with ``python -m``. What may be imported at all is
    checked in validation, before this.

    Returns:
        An error for each module that cannot be imported, has no ``register(registry)``, or fails
        in it.
    """
    errors = []
    here = str(Path.cwd())
    if imports and here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    for index, name in enumerate(imports):
        buffer = Buffer(Provider(name, plugin=name, origin="imports"))
        try:
            with stdout_to_stderr():
                module = importlib.import_module(name)
                register = getattr(module, "register", None)
                if register is None:
                    raise AttributeError(f"{module.__file__} has no function register(registry)")
                register(buffer)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - any code stands in a module
            failed = ConfigError(
                f"`{name}` of imports: failed: {text_and_line(error)}",
                code="OT0307",
                config_path=("imports", index),
                span=sources.span(("imports", index)),
                help="modules are looked up in the current folder and among installed packages"
                if isinstance(error, ImportError)
                else "",
            )
            failed.__cause__ = error
            errors.append(failed)
            continue
        registry.commit(buffer)
    return errors


def _resolve(plugins: Plugins, key: str) -> Entry | None:
    for plugin, found in plugins.call_each("ot_resolve_component", key=key, config_path=()):
        if isinstance(found, Entry):
            return found
        if found is not None:
            if not isinstance(found, Exception):
                found = TypeError(f"returned a {type(found).__name__}, not an Entry or None")
            notice(plugins.hook_failure(plugin, f"ot_resolve_component for `{key}`", found))
    return None
