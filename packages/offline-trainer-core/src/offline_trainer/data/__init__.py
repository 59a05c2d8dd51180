"""Data sources: how recorded data is read, split, ordered and batched.

Imports nothing; the modules below need numpy and are loaded when a component is resolved.
"""
