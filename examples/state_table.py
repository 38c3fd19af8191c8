"""Learns mazes from pictures by a table of discrete states, and again after each maze has changed.

    python -m examples.state_table

An agent sees noisy pictures of a maze (`examples/mazes.py`). A binary autoencoder is trained on pictures
of a random walk; its bits are the states of `tf_discrete.codes.StateTable`, whose values are learned by
prioritised sweeping over the last `--memory` transitions. After `--steps` the maze changes. Printed are the
steps until the agent has 90 % of the best return, the steps until it has it again after the change, and the
states in the table, next to the same table on the true state, which is the limit, and on random projections
of the picture.

This is a part of variational state tabulation (Corneil and others 2018, arXiv:1802.04325): the encoder is
trained beforehand, has no model of transitions, and stays as it is.
"""

from __future__ import annotations

import collections
from collections.abc import Callable

import keras
import numpy as np
from absl import app, flags

import tf_discrete
from examples import mazes
from tf_discrete import codes

CHANGES = flags.DEFINE_list("changes", list(mazes.CHANGES), "What happens to a maze, one for each.")
STATES = flags.DEFINE_list("states", ["true", "autoencoder", "projection"], "What the states are.")
SEEDS = flags.DEFINE_integer("seeds", 5, "Runs of each.", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 4000, "Steps before the change, and after it.", lower_bound=1)
MEMORY = flags.DEFINE_integer("memory", 1000, "Transitions that are counted.", lower_bound=1)
BITS = flags.DEFINE_integer("bits", 16, "Of the autoencoder and of the projection.", lower_bound=1)
PICTURES = flags.DEFINE_integer("pictures", 5000, "Of the autoencoder's training.", lower_bound=10)
EPOCHS = flags.DEFINE_integer("epochs", 10, "Passes over them.", lower_bound=1)
NOISE = flags.DEFINE_float("noise", 0.2, "Standard deviation of a pixel; the agent has 1.")
DISCOUNT, EVERY, LIMIT = 0.95, 100, 60
"""Discount, steps between two evaluations, and steps of an episode at most."""

Encoder = Callable[[mazes.Cell, np.random.Generator], np.ndarray]
"""Makes a state, uint8 [bytes], of the cell where the agent is."""


def true_state(maze: mazes.Maze, seed: int) -> Encoder:
    """The cell itself."""
    return lambda cell, draw: np.array(cell, np.uint8)


def projection(maze: mazes.Maze, seed: int) -> Encoder:
    """Signs of random projections of the picture."""
    draw = np.random.default_rng(seed)
    directions = draw.normal(size=[mazes.PIXELS**2 * maze.cells.size, BITS.value])
    mean = np.mean([maze.picture(cell, 0.0, draw) for cell in maze.open], axis=0)

    def encode(cell: mazes.Cell, draw: np.random.Generator) -> np.ndarray:
        return np.packbits((maze.picture(cell, NOISE.value, draw) - mean) @ directions > 0)

    return encode


def autoencoder(maze: mazes.Maze, seed: int) -> Encoder:
    """Bits of an autoencoder that is trained on pictures of a random walk."""
    keras.utils.set_random_seed(seed)
    draw = np.random.default_rng(seed)
    cell, pictures = maze.places["S"], []
    for _ in range(PICTURES.value):
        cell, _, end = maze.step(cell, int(draw.integers(len(mazes.MOVES))))
        cell = maze.places["S"] if end else cell
        pictures.append(maze.picture(cell, NOISE.value, draw))
    pixels = len(pictures[0])
    hidden, bits = keras.layers.Dense(64, activation="relu"), keras.layers.Dense(BITS.value)
    model = keras.Sequential(
        [
            keras.Input([pixels]),
            hidden,
            bits,
            tf_discrete.SemanticHashing(seed=seed),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(pixels),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    data = np.stack(pictures)
    model.fit(data, data, batch_size=100, epochs=EPOCHS.value, verbose=0)
    # In NumPy: one picture at a time, a call of a model takes a hundred times as long.
    (first, first_bias), (second, second_bias) = hidden.get_weights(), bits.get_weights()

    def encode(cell: mazes.Cell, draw: np.random.Generator) -> np.ndarray:
        seen = np.maximum(maze.picture(cell, NOISE.value, draw) @ first + first_bias, 0)
        return np.packbits(seen @ second + second_bias > 0)

    return encode


ENCODERS = {"true": true_state, "autoencoder": autoencoder, "projection": projection}


class Agent:
    """Acts by a table of values, on the transitions that it remembers."""

    def __init__(self, encode: Encoder, seed: int):
        self.encode, self.draw = encode, np.random.default_rng(seed)
        self.table = codes.StateTable(len(mazes.MOVES), DISCOUNT)
        self.memory: collections.deque[tuple[np.ndarray, int, float, np.ndarray | None]] = (
            collections.deque()
        )

    def act(self, state: np.ndarray, exploration: float) -> int:
        """The action of the largest value, or with some probability any."""
        if self.draw.random() < exploration:
            return int(self.draw.integers(len(mazes.MOVES)))
        values = self.table.values(state[np.newaxis])[0]
        return int(self.draw.choice(np.flatnonzero(values == values.max())))

    def learn(
        self, state: np.ndarray, action: int, reward: float, after: np.ndarray | None
    ) -> None:
        """Counts a transition, and forgets the oldest."""
        self.memory.append((state, action, reward, after))
        self.table.add(state, action, reward, after)
        if len(self.memory) > MEMORY.value:
            self.table.remove(*self.memory.popleft())
        self.table.sweep(max_backups=100)

    def live(self, maze: mazes.Maze, explore_for: int) -> int | None:
        """Learns for STEPS steps, and returns after how many it had 90 % of the best return.

        Args:
            maze: Where to live.
            explore_for: Steps over which the probability of a random action falls from 1 to 0.1.
        """
        enough, found = 0.9 * maze.best_return(DISCOUNT), None
        cell, age = maze.places["S"], 0
        state = self.encode(cell, self.draw)
        for step in range(1, STEPS.value + 1):
            exploration = max(0.1, 1 - step / explore_for) if explore_for else 0.1
            action = self.act(state, exploration)
            cell, reward, end = maze.step(cell, action)
            after = None if end else self.encode(cell, self.draw)
            self.learn(state, action, reward, after)
            age += 1
            if after is None or age == LIMIT:
                cell, age = maze.places["S"], 0
                after = self.encode(cell, self.draw)
            state = after
            if found is None and step % EVERY == 0 and self.mean_return(maze) >= enough:
                found = step
        return found

    def mean_return(self, maze: mazes.Maze) -> float:
        """Discounted return of three episodes without exploration."""
        total = 0.0
        for _ in range(3):
            cell = maze.places["S"]
            for age in range(LIMIT):
                action = self.act(self.encode(cell, self.draw), 0.0)
                cell, reward, end = maze.step(cell, action)
                total += DISCOUNT**age * reward
                if end:
                    break
        return total / 3


def shown(found: list[int | None]) -> str:
    """Mean of the runs that came there, and their number if it is not all."""
    steps = [one for one in found if one is not None]
    missing = "" if len(steps) == len(found) else f" ({len(steps)} of {len(found)})"
    return (f"{np.mean(steps):.0f}" if steps else "never") + missing


def main(_: list[str]) -> None:
    print("change     states        steps to 90 %      after the change   states in the table")
    for change in CHANGES.value:
        before, after = mazes.CHANGES[change]
        for states in STATES.value:
            first, second, sizes = [], [], []
            for seed in range(SEEDS.value):
                agent = Agent(ENCODERS[states](before, seed), seed)
                first.append(agent.live(before, explore_for=STEPS.value // 4))
                sizes.append(len(agent.table))
                second.append(agent.live(after, explore_for=0))
            print(
                f"{change:9s}  {states:12s}  {shown(first):17s}  {shown(second):17s}  "
                f"{np.mean(sizes):.0f} of {len(before.open)} cells",
                flush=True,
            )


if __name__ == "__main__":
    app.run(main)
