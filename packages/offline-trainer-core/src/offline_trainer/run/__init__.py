"""The run directory: lock, manifest, configs, status, events; and the signals that end a run."""
