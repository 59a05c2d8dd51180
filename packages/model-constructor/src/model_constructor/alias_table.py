"""The former names that a registry knows: of components, and of parameters of components."""

from __future__ import annotations

from dataclasses import replace

from model_constructor.entry import Alias
from model_constructor.errors import ConfigError


class AliasTable:
    """Former names by component and name."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[Alias]] = {}

    def record(self, alias: Alias) -> None:
        """Add a former name; one that several plugins agree on is no conflict."""
        self._known.setdefault((alias.component, alias.old), []).append(alias)

    def all(self) -> list[Alias]:
        """Every former name, by component and name."""
        return [alias for _, known in sorted(self._known.items()) for alias in known]

    def find(self, name: str, component: str = "") -> Alias | None:
        """What a former name is called now, however often it changed.

        Raises:
            ConfigError: Plugins disagree about it, or names replace each other in a circle.
        """
        seen: list[Alias] = []
        current = name
        while known := self._known.get((component, current)):
            step = known[0]
            rivals = [alias for alias in known if alias.new != step.new]
            if rivals or step in seen:
                both = [step, *(rivals or seen[-1:])]
                says = " and ".join(f"{a.new} ({a.provider})" for a in both)
                raise ConfigError(
                    f"`{name}` has no one present name: {says}",
                    code="OT0302",
                    help="write the name you mean",
                )
            seen.append(step)
            current = step.new
        return replace(seen[-1], old=name) if seen else None
