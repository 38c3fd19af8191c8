"""An agent that acts by the values of a table, and learns them from what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf_discrete import codes


class Agent:
    """Acts by the values of the states that it sees.

    Args:
        encode: Function from observations uint8 [n, *shape] to packed codes, uint8 [n, bytes].
        num_actions: Int.
        discount: Number below 1.
        memory: Int, observations that are remembered.
        backups: Int, values that are updated after a step at most.
        episode_steps: Int, steps of an episode at most.
    """

    def __init__(
        self,
        encode: Callable[[np.ndarray], np.ndarray],
        num_actions: int,
        discount: float,
        memory: int,
        backups: int,
        episode_steps: int,
    ):
        self.num_actions, self.discount = num_actions, discount
        self.backups, self.episode_steps = backups, episode_steps
        # A new observation comes before the oldest is forgotten.
        self.table = codes.StateTable(num_actions, discount, max_states=memory + 1)
        self.memory = codes.TransitionMemory(self.table, encode, memory)

    def act(self, code: np.ndarray, exploration: float, draw: np.random.Generator) -> int:
        """The action of the largest value, or with some probability any."""
        if draw.random() < exploration:
            return int(draw.integers(self.num_actions))
        values = self.table.values(code[np.newaxis])[0]
        return int(draw.choice(np.flatnonzero(values == values.max())))

    def play(
        self,
        environment: Any,
        steps: int,
        exploration: Callable[[int], float],
        draw: np.random.Generator,
    ) -> None:
        """Acts and learns for some steps, from the beginning of an episode on.

        Args:
            environment: Of gymnasium.
            steps: Int.
            exploration: Probability of a random action, by the number of the step, from 0 on.
            draw: Of actions and of the environment's seed.
        """
        code = None
        age = 0
        for step in range(steps):
            if code is None or age == self.episode_steps:
                seed = int(draw.integers(2**31)) if step == 0 else None
                code, age = self.memory.start(environment.reset(seed=seed)[0]), 0
            action = self.act(code, exploration(step), draw)
            seen, reward, ended, cut, _ = environment.step(action)
            code = self.memory.step(action, float(reward), None if ended else seen)
            if code is not None and cut:
                code = None
            age += 1
            self.table.sweep(self.backups)

    def returns(self, environment: Any, episodes: int, draw: np.random.Generator) -> list[float]:
        """Returns the discounted return of each episode, without exploration and without learning."""
        found = [0.0] * episodes
        for number in range(episodes):
            seed = int(draw.integers(2**31)) if number == 0 else None
            seen = environment.reset(seed=seed)[0]
            for age in range(self.episode_steps):
                code = self.memory.encode(seen[np.newaxis])[0]
                seen, reward, ended, cut, _ = environment.step(self.act(code, 0.0, draw))
                found[number] += self.discount**age * float(reward)
                if ended or cut:
                    break
        return found

    def state(self) -> dict[str, np.ndarray]:
        """Returns memory and table as arrays, see `restore`."""
        parts = {"memory": self.memory.state(), "table": self.table.state()}
        return {f"{part}/{name}": a for part, found in parts.items() for name, a in found.items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Takes what `state` of an agent of the same settings has returned."""
        parts: dict[str, dict[str, np.ndarray]] = {"memory": {}, "table": {}}
        for key, array in state.items():
            part, name = key.split("/")
            parts[part][name] = array
        self.table.restore(parts["table"])
        self.memory.restore(parts["memory"])
