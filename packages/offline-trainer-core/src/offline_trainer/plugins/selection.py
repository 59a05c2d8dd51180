"""Which of the installed plugins a process uses: disabled ones, allow-lists, where it was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_constructor.errors import close_matches
from model_constructor.registry import normalized
from offline_trainer.plugins.discovery import Candidate

ALL_THIRD_PARTY = "*"


@dataclass(frozen=True, slots=True)
class Selection:
    """What to leave out, by plugin or distribution name.

    Attributes:
        disabled: Name → where it was said (``--no-plugin``, ``OT_DISABLE_PLUGINS``…).
        allowed: When given, only these third-party plugins are used.
        strict: Any plugin problem ends the command.
    """

    disabled: Mapping[str, str]
    allowed: frozenset[str] | None = None
    strict: bool = False

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        *,
        no_plugin: Sequence[str] = (),
        config_disable: Sequence[str] = (),
    ) -> Selection:
        """Read the command line's, the environment's and the config's wishes, strongest first."""
        disabled = {normalized(name): "plugins.disable" for name in config_disable}
        for name in _names(environ.get("OT_DISABLE_PLUGINS", "")):
            disabled[name] = "OT_DISABLE_PLUGINS"
        for name in no_plugin:
            disabled[normalized(name)] = "--no-plugin"
        allowed = environ.get("OT_PLUGINS")
        return cls(
            disabled,
            frozenset(_names(allowed)) if allowed else None,
            environ.get("OT_STRICT_PLUGINS") == "1",
        )

    def reason_to_skip(self, candidate: Candidate) -> str | None:
        """Who disabled a plugin, or None when it is to be loaded."""
        names = _names_of(candidate)
        for name in names:
            if name in self.disabled:
                return self.disabled[name]
        if candidate.provider.origin == "third-party":
            if ALL_THIRD_PARTY in self.disabled:
                return self.disabled[ALL_THIRD_PARTY]
            if self.allowed is not None and not names & self.allowed:
                return "not in OT_PLUGINS"
        return None

    def unmatched(self, candidates: Sequence[Candidate]) -> list[str]:
        """One warning for each name that no installed plugin has."""
        known = sorted(set().union(*(_names_of(candidate) for candidate in candidates)))
        warnings = []
        wanted = {**self.disabled, **dict.fromkeys(self.allowed or (), "OT_PLUGINS")}
        for name, said in sorted(wanted.items()):
            if name != ALL_THIRD_PARTY and name not in known:
                near = close_matches(name, known)
                hint = f"; did you mean {', '.join(near)}?" if near else ""
                warnings.append(f"{said} names '{name}', which is no installed plugin{hint}")
        return warnings


def _names_of(candidate: Candidate) -> set[str]:
    return {normalized(candidate.name), normalized(candidate.provider.distribution)}


def _names(text: str) -> list[str]:
    return [
        part if part == ALL_THIRD_PARTY else normalized(part)
        for part in (piece.strip() for piece in text.split(","))
        if part
    ]
