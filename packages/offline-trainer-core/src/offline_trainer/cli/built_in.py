"""``ot``'s own commands: the module of each, and its line in ``ot --help``."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("offline_trainer.cli.check", "Check a config without training."),
    "config": ("offline_trainer.cli.config", "Show, explain and compare configs."),
    "describe": ("offline_trainer.cli.describe", "Show a component's parameters and a snippet."),
    "doctor": ("offline_trainer.cli.doctor", "Show the environment and what is wrong in it."),
    "explain": ("offline_trainer.cli.explain", "Say what an error code means and what to do."),
    "list-components": ("offline_trainer.cli.components", "List what installed packages offer."),
    "new-plugin": ("offline_trainer.cli.new_plugin", "Write a plugin package to start from."),
    "plugins": ("offline_trainer.cli.plugins", "List the installed plugins and their state."),
    "reproduce": ("offline_trainer.cli.reproduce", "Run a recorded run again and compare it."),
    "run": ("offline_trainer.cli.run", "Train what a config describes."),
    "schema": ("offline_trainer.cli.schema", "Print the JSON Schema of configs, for editors."),
}
