"""The campaigns that show what checkpoints and resume promise; each is a row of a table.

A row is a function of one case. Everything random in a case follows from the row's name, a seed and
the case's number, so one command repeats a case that failed. `make test` runs the cases of the
commit tier, `make test-full` those of the full one, `make reliability` prints a line for each row.
"""
