"""Models as data: the graph IR and its compiler. Imports no framework."""
