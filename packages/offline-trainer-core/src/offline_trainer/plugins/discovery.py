"""Which plugins are installed, without importing any of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model_constructor.registry import Origin, Provider, normalized
from offline_trainer.plugins.scan import EntryPoint, scan

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
    points = scan(GROUP)
    return candidates(points_by_metadata() if points is None else points)


def points_by_metadata() -> list[EntryPoint]:
    """What importlib-metadata finds: slower than `scan`, and able to read zip files and eggs."""
    from importlib_metadata import entry_points

    found = []
    for point in entry_points(group=GROUP):
        dist = point.dist
        if dist is not None:
            metadata = dist.read_text("METADATA") or dist.read_text("PKG-INFO") or ""
            found.append(EntryPoint(point.name, point.value, metadata))
    return found


def candidates(points: Iterable[EntryPoint]) -> list[Candidate]:
    """The plugins behind entry points: core's first, then first-party, then third-party ones."""
    found = []
    for point in points:
        headers = _headers(point.metadata)
        # A damaged installation must not take `ot` down: the module's name says enough.
        name = headers.get("name") or point.value.partition(".")[0]
        provider = Provider(name, headers.get("version", ""), point.name, origin_of(name))
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


def _headers(metadata: str) -> dict[str, str]:
    """Name and version from the head of a METADATA file, which ends at the first empty line."""
    head = metadata.partition("\n\n")[0]
    pairs = (line.partition(":") for line in head.splitlines())
    return {name.lower(): value.strip() for name, _, value in pairs}
