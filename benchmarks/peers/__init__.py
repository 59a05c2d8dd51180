"""Other frameworks on the work of `benchmarks/loop.py`, each beside the bare torch loop."""
