"""``ot reproduce``: what a run had, compared with what is here, and the run itself once more."""
