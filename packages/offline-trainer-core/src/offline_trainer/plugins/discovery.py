"""Which plugins are installed, without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass

from importlib_metadata import entry_points

from model_constructor.registry import Origin, Provider, normalized

GROUP = "offline_trainer.plugins"

_CORE = "offline-trainer-core"
_FIRST_PARTY = frozenset({"offline-trainer-torch", "model-constructor"})
_ORDER: dict[Origin, int] = {"core": 0, "first-party": 1, "third-party": 2}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry point of the plugin group: who offers it, and the module it names."""

    provider: Provider
    module: str

    @property
    def name(self) -> str:
        return self.provider.plugin


def discover() -> list[Candidate]:
    """All installed plugins, in an order that does not depend on ``sys.path``.

    Of two copies of one distribution only the first on ``sys.path`` counts, as for an import.
    """
    found = []
    for point in entry_points(group=GROUP):
        if point.dist is None:
            continue
        name = point.dist.name
        provider = Provider(name, point.dist.version, point.name, origin_of(name))
        found.append(Candidate(provider, point.value))
    return sorted(found, key=_sort_key)


def origin_of(distribution: str) -> Origin:
    """How near to the core a distribution is; nearer ones load first."""
    name = normalized(distribution)
    if name == _CORE:
        return "core"
    return "first-party" if name in _FIRST_PARTY else "third-party"


def _sort_key(candidate: Candidate) -> tuple[int, str, str, str]:
    provider = candidate.provider
    return (
        _ORDER[provider.origin],
        normalized(provider.distribution),
        provider.plugin,
        candidate.module,
    )
