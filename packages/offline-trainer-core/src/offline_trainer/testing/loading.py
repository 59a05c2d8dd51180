"""Loading the plugins that a test hands over, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

import pytest

from model_constructor.registry import Registry
from offline_trainer.plugins.discovery import Candidate
from offline_trainer.plugins.loader import Plugins, load_plugins
from offline_trainer.plugins.selection import ALL_THIRD_PARTY, Selection
from offline_trainer.registry import build_registry
from offline_trainer.testing.distributions import FakeDistribution

DISCOVERY = "offline_trainer.plugins.loader.discover"


def load_only(candidates: Iterable[Candidate], environ: Mapping[str, str] | None = None) -> Plugins:
    """Load these plugins by the loader's own road, with discovery left out.

    Args:
        candidates: The plugins there are.
        environ: Environment variables such as ``OT_DISABLE_PLUGINS``; the real ones play no part.
    """
    handed = list(candidates)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DISCOVERY, lambda: handed)
        return load_plugins(Selection.of(environ or {}))


class PluginManager:
    """Loads the plugins handed to it and never those that happen to be installed."""

    def load(
        self, *plugins: FakeDistribution | Candidate, environ: Mapping[str, str] | None = None
    ) -> Plugins:
        """Load plugins in the order given.

        Args:
            *plugins: What ``ot_fake_dist`` made, or entries of discovery.
            environ: Environment variables of the loader, such as ``OT_DISABLE_PLUGINS``.
        """
        return load_only(
            [item if isinstance(item, Candidate) else item.candidate for item in plugins], environ
        )


def refuse_discovery(patch: pytest.MonkeyPatch) -> None:
    """Make looking for installed plugins an error, so that a test cannot depend on them."""

    def refuse() -> NoReturn:
        raise AssertionError(
            "this test uses ot_manager, which loads only the plugins handed to ot_manager.load(); "
            "the code under test looked for installed plugins"
        )

    patch.setattr(DISCOVERY, refuse)


def first_party_registry() -> Registry:
    """A registry with the keys of core and of the framework packages that are installed."""
    return build_registry(load_plugins(Selection.of({"OT_DISABLE_PLUGINS": ALL_THIRD_PARTY})))
