"""Finding, loading and isolating plugins. Imports no framework, no numpy and no yaml."""
