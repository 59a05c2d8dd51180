"""``ot``'s own commands: the module of each, and its line in the help."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("offline_trainer.cli.check", "Check a config without training."),
    "ckpt": ("offline_trainer.cli.ckpt", "List, verify, compare and remove checkpoints."),
    "config": ("offline_trainer.cli.config", "Show, explain and compare configs."),
    "data": ("offline_trainer.cli.data", "Show what is in a data file."),
    "describe": ("offline_trainer.cli.describe", "Show a component's parameters and a snippet."),
    "doctor": ("offline_trainer.cli.doctor", "Show the environment and what is wrong in it."),
    "evaluate": ("offline_trainer.cli.evaluate", "Evaluate a trained run on a part of its data."),
    "explain": ("offline_trainer.cli.explain", "Say what an error code means and what to do."),
    "list-components": ("offline_trainer.cli.components", "List what installed packages offer."),
    "new-plugin": ("offline_trainer.cli.new_plugin", "Write a plugin package to start from."),
    "plugins": ("offline_trainer.cli.plugins", "List the installed plugins and their state."),
    "predict": ("offline_trainer.cli.predict", "Predict with a trained run for a file."),
    "reproduce": ("offline_trainer.cli.reproduce", "Run a recorded run again and compare it."),
    "run": ("offline_trainer.cli.run", "Train what a config describes."),
    "schema": ("offline_trainer.cli.schema", "Print the JSON Schema of configs, for editors."),
}

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "ckpt": {
        "diff": ("offline_trainer.cli.ckpt_diff", "Compare two checkpoints by meaning."),
        "ls": ("offline_trainer.cli.ckpt_ls", "List the checkpoints of a run."),
        "pin": ("offline_trainer.cli.ckpt_pin", "Keep checkpoints from being removed."),
        "rm": ("offline_trainer.cli.ckpt_rm", "Remove checkpoints."),
        "show": ("offline_trainer.cli.ckpt_show", "Show what is in a checkpoint."),
        "unpin": ("offline_trainer.cli.ckpt_unpin", "Let pinned checkpoints be removed again."),
        "verify": ("offline_trainer.cli.ckpt_verify", "Read checkpoints whole and check hashes."),
    },
    "config": {
        "diff": ("offline_trainer.cli.config_diff", "Compare two configs or runs by meaning."),
        "explain": (
            "offline_trainer.cli.config_explain",
            "Show who set a value, and what was before.",
        ),
        "migrate": (
            "offline_trainer.cli.config_migrate",
            "Rewrite files for what was renamed.",
        ),
        "show": ("offline_trainer.cli.config_show", "Print the config with everything resolved."),
    },
    "data": {
        "inspect": ("offline_trainer.cli.data_inspect", "Show columns, and propose a config."),
    },
}
"""The commands that are groups, and what each has of its own; plugins may add to it."""

NAMES = frozenset([*COMMANDS, *(f"{group} {name}" for group in GROUPS for name in GROUPS[group])])
"""Everything that can be typed after ``ot`` without any plugin."""
