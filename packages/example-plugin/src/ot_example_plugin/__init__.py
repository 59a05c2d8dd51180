"""A plugin for offline_trainer. Importing it imports nothing else."""
