"""Transforms of columns: what is learned from the training rows, and applied to all others."""
