"""Callbacks: what they can hook into, and the framework-free ones."""
