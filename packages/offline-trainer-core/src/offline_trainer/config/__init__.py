"""What a config of an experiment must contain, beyond what the language itself says."""
