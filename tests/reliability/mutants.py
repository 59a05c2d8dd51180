"""Mutants of the protocol: the rows of crashes and of damage have to notice each one.

A case is a mutant. It is given to the same checks as the code itself, some hundred cases of them at
most; it passes when one of these complains for the right reason, and when none complains of the
code without the mutant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from offline_trainer.errors import OfflineTrainerError
from reliability import mutations
from reliability.corruption import check_damage
from reliability.crash_states import check_one_crash, make_history
from reliability.histories import History
from reliability.row import Case, Row
from reliability.scratch import folder_in_memory

_CRASHES_OF_A_HISTORY = 20
_MOST_CASES = 600
_FIRST_BY_CHANCE = 10_000  # in the row of damage, what comes before goes byte by byte

Check = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One thing done wrong.

    Attributes:
        mutation: Puts it into the code.
        check: One case of what has to notice it, by seed and number.
        complaint: What is said then.
    """

    mutation: mutations.Mutation
    check: Check
    complaint: str


def _crash(seed: int, number: int) -> None:
    history = _history(seed, number // _CRASHES_OF_A_HISTORY)
    with folder_in_memory() as folder:
        check_one_crash(history, Random(f"mutant {seed} {number}"), folder)


@lru_cache(maxsize=1)
def _history(seed: int, number: int) -> History:
    return make_history(Random(f"mutated history {seed} {number}"))


def _damage(seed: int, number: int) -> None:
    with folder_in_memory() as folder:
        check_damage(_FIRST_BY_CHANCE + number, Random(f"mutant {seed} {number}"), folder)


MUTANTS = (
    Mutant(mutations.files_not_synced, _crash, "was set aside"),
    Mutant(mutations.directory_not_synced_before_rename, _crash, "was set aside"),
    Mutant(mutations.directory_not_synced_after_rename, _crash, "is found, not"),
    Mutant(mutations.renamed_before_the_manifest, _crash, "was set aside"),
    Mutant(mutations.old_ones_removed_before_the_commit, _crash, "there was a checkpoint"),
    Mutant(mutations.pointed_to_before_the_commit, _crash, "the pointer names"),
    Mutant(mutations.abandoned_line_trashed_before_the_commit, _crash, "is found, not"),
    Mutant(mutations.lines_not_synced_before_the_commit, _crash, "lines that the checkpoint"),
    Mutant(mutations.not_finite_is_committed, _crash, "not finite was saved"),
    Mutant(mutations.set_aside_before_the_reason, _crash, "without a reason"),
    Mutant(mutations.started_over_when_all_are_damaged, _damage, "would start over"),
    Mutant(mutations.hashes_not_compared, _damage, "is not as it was saved"),
    Mutant(mutations.names_not_compared, _damage, "were set aside of"),
    Mutant(mutations.sizes_not_compared, _damage, "were set aside of"),
)


def run_case(case: Case) -> None:
    mutant = MUTANTS[case.number]
    caught = _first_complaint(mutant, case.seed)
    _history.cache_clear()
    for number in range(caught + 1):
        mutant.check(case.seed, number)


def _first_complaint(mutant: Mutant, seed: int) -> int:
    """The number of the first case in which the mutant is noticed for the right reason."""
    said = set()
    _history.cache_clear()
    with mutant.mutation():
        for number in range(_MOST_CASES):
            try:
                mutant.check(seed, number)
            except (AssertionError, OfflineTrainerError) as error:
                if mutant.complaint in str(error):
                    return number
                said.add(str(error).partition("\n")[0])
    name = mutant.mutation.__name__
    raise AssertionError(f"{name} goes unnoticed in {_MOST_CASES} cases; they say {said or None}")


ROW = Row(
    name="mutants",
    passes_when="each mutant of the protocol is noticed by the rows above",
    commit_cases=len(MUTANTS),
    full_cases=len(MUTANTS),
    run_case=run_case,
)
