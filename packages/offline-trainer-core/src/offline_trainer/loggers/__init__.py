"""Loggers: how they are called, and the framework-free ones."""
