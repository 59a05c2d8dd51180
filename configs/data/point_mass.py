"""Makes ``point_mass.npz``: what a clumsy policy did to a mass that should come to the middle.

    python configs/data/point_mass.py

The mass moves in a plane. Its state is position and velocity, (x, y, vx, vy); an action pushes it,
-1 to 1 in each direction. Every step costs its distance from the goal, (0, 0), so that a good
policy brings it there fast; an episode ends well at the goal, and is cut off after 40 steps.

Only sums and products of float64 and a generator with a fixed algorithm: the same bytes anywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEP_SECONDS = 0.1
PUSH = 2.0
FRICTION = 0.5
GOAL_RADIUS = 0.1
MAX_STEPS = 40


def start(generator: np.random.Generator) -> Floats:
    """A state at rest somewhere in the square from -1 to 1."""
    return np.concatenate([generator.uniform(-1, 1, 2), np.zeros(2)])


def advance(state: Floats, action: Floats) -> tuple[Floats, float, bool]:
    """The next state, the reward, and whether the goal is reached.

    Args:
        state: (4,), position and velocity.
        action: (2,), clipped to -1 to 1.
    """
    position, velocity = state[:2], state[2:]
    push = PUSH * np.clip(action, -1, 1) - FRICTION * velocity
    velocity = velocity + STEP_SECONDS * push
    position = position + STEP_SECONDS * velocity
    distance = float(np.sqrt((position**2).sum()))
    return np.concatenate([position, velocity]), -distance, distance < GOAL_RADIUS


def clumsy(state: Floats, generator: np.random.Generator) -> Floats:
    """An action of the policy that is recorded: roughly towards the goal, often too far."""
    action = -0.6 * state[:2] - 0.3 * state[2:] + 0.6 * generator.standard_normal(2)
    return np.clip(action, -1, 1)


def transitions(count: int, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """As many transitions, in the order in which they happened.

    Returns:
        ``state`` (N, 4), ``action`` (N, 2), ``reward`` (N,), ``next_state`` (N, 4), ``terminated``
        (N,): 1 where the goal was reached, 0 also where an episode was cut off.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    rows: list[tuple[Floats, Floats, float, Floats, bool]] = []
    while len(rows) < count:
        state = start(generator)
        for _ in range(MAX_STEPS):
            action = clumsy(state, generator)
            following, reward, terminated = advance(state, action)
            rows.append((state, action, reward, following, terminated))
            state = following
            if terminated:
                break
    names = ("state", "action", "reward", "next_state", "terminated")
    columns = zip(*rows[:count], strict=True)
    return {name: np.array(column, np.float32) for name, column in zip(names, columns, strict=True)}


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".npz")
    np.savez_compressed(path, **transitions(2000, seed=0))  # type: ignore[arg-type]
