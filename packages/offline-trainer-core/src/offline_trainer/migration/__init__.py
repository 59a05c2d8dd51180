"""Rewriting config files for what was renamed, every other byte kept."""
