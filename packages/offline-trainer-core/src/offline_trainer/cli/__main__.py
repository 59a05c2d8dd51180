"""``python -m offline_trainer.cli``"""

from __future__ import annotations

from offline_trainer.cli import main

main(prog_name="ot")
