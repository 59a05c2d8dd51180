"""The one table, from the JSON file of each framework; nothing in it comes from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

NAMES = {
    "naive": "`torch.save` loop",
    "lightning": "Lightning",
    "hf_trainer": "HF Trainer",
    "keras": "Keras on torch",
    "ours": "offline_trainer",
}

_AFTER_A_FAULT = {
    "lost": "runs lost: three restarts did not bring them to their end",
    "started_over": "started over, though a checkpoint had been saved",
    "wrong_steps": "ended after another number of optimizer steps",
    "differ": "final weights differ from the uninterrupted run's",
}
_AFTER_DAMAGE = {
    "used_changed": "undetected, and the result is another",
    "used_same": "undetected, and the result is the same",
    "refused": "noticed: the run does not start",
    "fell_back": "noticed: the run goes on from an older checkpoint",
    "started_over": "the run starts over",
}
# What each campaign is called, and its rows by the names of the counts.
CAMPAIGNS: dict[str, tuple[str, dict[str, str]]] = {
    "kill": ("SIGKILL at a random instant", _AFTER_A_FAULT),
    "kill_in_save": ("SIGKILL inside a save", _AFTER_A_FAULT),
    "flipped_bit": ("one flipped bit in the newest checkpoint", _AFTER_DAMAGE),
    "truncation": ("a truncated file in the newest checkpoint", _AFTER_DAMAGE),
    "zeroed_page": ("a zeroed page in the newest checkpoint", _AFTER_DAMAGE),
    "disk_full": (
        "disk full during two saves",
        {"ended": "runs that ended", **_AFTER_A_FAULT},
    ),
    "concurrency": (
        "a second process in the same directory",
        {
            "refused": "second process refused with a message that names the first",
            "trained_too": "second process trained, too",
            "second_lost": "second process ended by another error",
            "first_lost": "first process ended by an error",
            "first_differs": "first process's final weights differ",
        },
    ),
}


def read_results(folder: Path) -> list[dict[str, Any]]:
    """The results that are there, in the order of `NAMES`."""
    files = [folder / f"{name}.json" for name in NAMES]
    return [json.loads(path.read_text()) for path in files if path.exists()]


def as_markdown(results: list[dict[str, Any]]) -> str:
    """The table, with what was measured where."""
    lines = [
        "# Reliability, counted",
        "",
        "Written by `make reliability-peers`: counts of `results/*.json`, each file from one run",
        "of the driver. What the rows mean is in [README.md](README.md). Lower is better",
        "everywhere but in the rows that say *noticed* or *refused*.",
        "",
        _row(["", *(NAMES[one["framework"]] for one in results)]),
        _row(["---"] * (len(results) + 1)),
    ]
    for campaign, (title, rows) in CAMPAIGNS.items():
        counts = [one["campaigns"][campaign]["counts"] for one in results]
        lines.append(_row([f"**{title}**", *(f"**of {count['cases']}**" for count in counts)]))
        lines += [_row([text, *_counted(counts, key)]) for key, text in rows.items()]
    lines += ["", "## What was measured", ""]
    lines += [f"- {_description(one)}" for one in results]
    lines += ["", "## What runs that ended or did not start said last", ""]
    lines += [line for one in results for line in _messages(one)]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _counted(counts: Iterable[Mapping[str, int]], key: str) -> list[str]:
    return [str(count.get(key, 0)) for count in counts]


def _description(one: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{package} {number}" for package, number in one["versions"].items())
    return (
        f"{NAMES[one['framework']]}: {versions}; Python {one['python']}, {one['machine']}; "
        f"{one['date']}, seed {one['seed']}, repository at {one['revision']}; an uninterrupted run "
        f"takes {one['reference_seconds']} s and {one['reference_operations']} file operations of "
        f"saves, a save writes {one['save_bytes']:,} bytes; all campaigns took "
        f"{one['took_seconds']} s"
    )


def _messages(one: Mapping[str, Any]) -> list[str]:
    lines = []
    for campaign, (title, _) in CAMPAIGNS.items():
        for text, count in one["campaigns"][campaign]["messages"].items():
            lines.append(f"- {NAMES[one['framework']]}, {title}: {count} x `{text}`")
    return lines
