"""Which of the installed plugins a process uses: disabled ones, allow-lists, where it was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model_constructor.errors import close_matches
from model_constructor.registry import normalized
from offline_trainer.plugins.discovery import Candidate

ALL_THIRD_PARTY = "*"
NO = ("", "0", "false", "no", "off")
"""Values of an environment variable that leave a switch off."""

Names = Mapping[str, tuple[str, str]]
"""Normalized name → (as it was typed, where it was said)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to use and what to leave out, by plugin or distribution name; the strongest first.

    Attributes:
        disabled: Left out by ``--no-plugin`` or ``OT_DISABLE_PLUGINS``.
        allowed: When given, of third-party plugins only these are used.
        disabled_by_config: Left out by ``plugins.disable``, unless ``allowed`` names them.
        strict: Any plugin problem ends the command.
    """

    disabled: Names
    allowed: Names | None = None
    disabled_by_config: Names | None = None
    strict: bool = False

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        *,
        no_plugin: Sequence[str] = (),
        config_disable: Sequence[str] = (),
    ) -> Selection:
        """Read the command line's, the environment's and the config's wishes."""
        listed = _names(environ.get("OT_DISABLE_PLUGINS", "").split(","), "OT_DISABLE_PLUGINS")
        allowed = environ.get("OT_PLUGINS", "")
        return cls(
            {**listed, **_names(no_plugin, "--no-plugin")},
            _names(allowed.split(","), "OT_PLUGINS") if allowed else None,
            _names(config_disable, "plugins.disable"),
            # Whoever sets it wants to be told, so whatever is no clear "no" is a "yes".
            environ.get("OT_STRICT_PLUGINS", "").strip().lower() not in NO,
        )

    def reason_to_skip(self, candidate: Candidate) -> str | None:
        """Who disabled a plugin, or None when it is to be loaded."""
        if candidate.provider.origin == "core":
            return None
        said = _said_by(self.disabled, candidate)
        if said is None and self.allowed is not None and ALL_THIRD_PARTY not in self.allowed:
            if _said_by(self.allowed, candidate) is not None:
                return None
            if candidate.provider.origin == "third-party":
                return "not in OT_PLUGINS"
        return said or _said_by(self.disabled_by_config or {}, candidate)

    def unmatched(self, candidates: Sequence[Candidate]) -> list[str]:
        """One warning for each name that cannot have the effect it was typed for."""
        known = {normalized(name): name for c in candidates for name in _names_of(c)}
        core = {
            normalized(n) for c in candidates if c.provider.origin == "core" for n in _names_of(c)
        }
        warnings = []
        if ALL_THIRD_PARTY in (self.allowed or {}):
            warnings.append("OT_PLUGINS='*' allows every plugin, as if it were not set")
        wanted = {**(self.allowed or {}), **(self.disabled_by_config or {}), **self.disabled}
        for name, (typed, said) in sorted(wanted.items()):
            if name in core and said != "OT_PLUGINS":
                warnings.append(f"{said} names '{typed}', which cannot be disabled")
            elif name != ALL_THIRD_PARTY and name not in known:
                near = [known[match] for match in close_matches(name, sorted(known))]
                hint = f"; did you mean {', '.join(near)}?" if near else ""
                warnings.append(f"{said} names '{typed}', which is no installed plugin{hint}")
        return warnings


def _said_by(names: Names, candidate: Candidate) -> str | None:
    wanted = [normalized(name) for name in _names_of(candidate)]
    if candidate.provider.origin == "third-party":
        wanted.append(ALL_THIRD_PARTY)
    return next((names[name][1] for name in wanted if name in names), None)


def _names_of(candidate: Candidate) -> tuple[str, str]:
    return candidate.provider.distribution, candidate.name


def _names(typed: Iterable[str], said: str) -> Names:
    return {normalized(name): (name, said) for name in map(str.strip, typed) if name}
