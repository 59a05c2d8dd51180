"""A step that is not finite, on the numpy engine."""

from __future__ import annotations

import copy
from typing import Any

from non_finite_cases import NonFiniteCases
from small_experiment import SMALL


class TestNumpyNonFinite(NonFiniteCases):
    def config(self, out_dir: str = "run") -> dict[str, Any]:
        config = copy.deepcopy(SMALL)
        config["run"]["out_dir"] = out_dir
        return config
