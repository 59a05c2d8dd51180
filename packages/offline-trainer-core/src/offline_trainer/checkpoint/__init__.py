"""Checkpoints, format version 1: saving, verifying, finding the newest.

Empty on purpose: `offline_trainer.run` uses the file system and JSON of this package, and should
not have to import numpy for it.
"""
