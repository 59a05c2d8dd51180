"""Imported by the server that children are forked from: all that a run would import first."""

import torch._dynamo  # noqa: F401
