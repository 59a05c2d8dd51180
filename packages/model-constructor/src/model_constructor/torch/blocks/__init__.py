"""Blocks: modules that are more than one torch layer, one file each."""
