"""Why a key may be unknown here: its package is not installed, is disabled, or failed to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_constructor.registry import kind_of, normalized
from offline_trainer.plugins.loader import PluginStatus

_TORCH = "offline-trainer-torch"

FIRST_PARTY_KINDS: Mapping[str, str] = {
    "cmd": _TORCH,
    "engine": _TORCH,
    "metric": _TORCH,
    "optim_cls": _TORCH,
    "optim_factory": _TORCH,
    "sched_cls": _TORCH,
    "sched_factory": _TORCH,
}
"""Kind → the distribution of ours that brings it; a test compares it with what that registers."""

FIRST_PARTY_KEYS: Mapping[str, str] = {
    "cb.profiler": _TORCH,
    "data.torch": _TORCH,
    "log.tensorboard": _TORCH,
    "loss.torch": _TORCH,
    "objective.td3_bc": _TORCH,
    "objective.vae": _TORCH,
}
"""Key → distribution, for keys of a kind that core has too."""

_MAX_LISTED = 3


def why_unknown(key: str, statuses: Sequence[PluginStatus]) -> str:
    """What to do about an unknown key; empty where nothing explains it.

    Args:
        key: The key that nobody registered.
        statuses: What became of the installed plugins.
    """
    failed = [status for status in statuses if status.state not in ("ok", "disabled")]
    disabled = [status for status in statuses if status.state == "disabled"]
    reasons = []
    package = FIRST_PARTY_KEYS.get(key) or FIRST_PARTY_KINDS.get(kind_of(key))
    if package is not None and package in packages_not_installed(statuses):
        name = key if key in FIRST_PARTY_KEYS else f"{kind_of(key)}.*"
        reasons.append(f"`{name}` comes with {package}: pip install {package}")
    if failed:
        said = [f"{s.provider} [ot doctor {s.typed_name()}]" for s in failed]
        reasons.append(f"{_plugins(failed)} failed to load and may provide it: {_some(said)}")
    if disabled:
        said = [f"{status.provider} ({status.reason})" for status in disabled]
        are = "is" if len(disabled) == 1 else "are"
        reasons.append(f"{_plugins(disabled)} {are} disabled and may provide it: {_some(said)}")
    return "; ".join(reasons)


def packages_not_installed(statuses: Sequence[PluginStatus]) -> dict[str, list[str]]:
    """Distributions of ours that are not installed → the kinds they bring, sorted."""
    installed = {normalized(status.provider.distribution) for status in statuses}
    kinds: dict[str, list[str]] = {}
    for kind, distribution in sorted(FIRST_PARTY_KINDS.items()):
        if distribution not in installed:
            kinds.setdefault(distribution, []).append(kind)
    return kinds


def _plugins(statuses: Sequence[PluginStatus]) -> str:
    return "1 plugin" if len(statuses) == 1 else f"{len(statuses)} plugins"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _MAX_LISTED
    shown = ", ".join(texts[:_MAX_LISTED])
    return shown if more <= 0 else f"{shown} and {more} more (ot plugins)"
