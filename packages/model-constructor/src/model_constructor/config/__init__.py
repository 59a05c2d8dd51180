"""The configuration language: from YAML files to a resolved config."""
