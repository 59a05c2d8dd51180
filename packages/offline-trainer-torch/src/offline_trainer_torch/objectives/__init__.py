"""Algorithms that are more than one loss on one model's outputs, each in a file to copy from."""
