"""A measuring method for a noisy machine: what is compared takes turns inside one process.

Each side runs on a thread of its own, and only the one that has the turn runs. Whatever slows the
machine down slows all of them.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence

EndTurn = Callable[[], None]


def take_turns(
    sides: Mapping[str, Callable[[EndTurn], None]], rounds: int
) -> dict[str, list[float]]:
    """Run the sides by turns until each has had so many.

    Args:
        sides: Each gets a function that it calls at the end of each of its turns, ``rounds + 1``
            times: what comes before the first call is its start, which nobody times.
        rounds: Turns that are timed.

    Returns:
        For each side the seconds of its turns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    batons = {name: threading.Semaphore(0) for name in sides}
    ended = threading.Semaphore(0)
    failed: list[BaseException] = []

    def run(name: str) -> None:
        started: list[float] = []

        def end_turn() -> None:
            now = time.perf_counter()
            if started:
                seconds[name].append(now - started.pop())
            ended.release()
            batons[name].acquire()
            started.append(time.perf_counter())

        batons[name].acquire()
        try:
            sides[name](end_turn)
        except BaseException as error:  # noqa: BLE001 - it is raised again where all end
            failed.append(error)
        ended.release()

    threads = [threading.Thread(target=run, args=[name], daemon=True) for name in sides]
    for thread in threads:
        thread.start()
    for _ in range(rounds + 2):
        for baton in batons.values():
            baton.release()
            ended.acquire()
            if failed:
                raise failed[0]
    return seconds


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """The median over the turns of one side's time in units of the other's in the same round."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))
