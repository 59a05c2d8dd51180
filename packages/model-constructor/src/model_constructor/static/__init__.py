"""Reading signatures from source files, without importing anything."""
