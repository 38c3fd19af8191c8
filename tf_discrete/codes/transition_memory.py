"""`TransitionMemory`: what an agent saw last, filed in a `StateTable` under codes that may move."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.codes.state_table import StateTable

NONE = -1
"""The action of an observation after which nothing was done."""


class TransitionMemory:
    """The last observations of an agent, and the transitions between them in a table of states.

    An encoder that learns gives other codes to the observations that it has seen. The memory keeps the
    observations, so `reassign` can encode all of them again and file each transition under its new codes.
    What is older than `capacity` observations is forgotten, and taken back from the table: old ways of an
    environment that has changed go with it. `windows` draws what the encoder is trained on.

    Args:
        table: `StateTable`, without a transition.
        encode: Function from observations [n, *shape] to packed codes, uint8 [n, bytes].
        capacity: Int >= 2, observations that are remembered.

    Raises:
        ValueError: An argument is out of range, or a step without a start.

    Example:
        >>> table = StateTable(num_actions=2, discount=0.5)
        >>> memory = TransitionMemory(table, lambda x: np.packbits(x > 0, axis=1), capacity=100)
        >>> _ = memory.start(np.array([1, 0]))
        >>> _ = memory.step(1, 0.0, np.array([0, 1]))
        >>> _ = memory.step(0, 1.0, None)             # the end of an episode
        >>> table.sweep(), len(memory), len(table)
        (3, 2, 2)

    Reference:
        Corneil, Gerstner, Brea. Efficient model-based deep reinforcement learning with variational state
        tabulation. 2018. arXiv:1802.04325.
    """

    def __init__(
        self,
        table: StateTable,
        encode: Callable[[np.ndarray], np.ndarray],
        capacity: int,
    ):
        self.table = checks.instance("table", table, StateTable, "a StateTable")
        if not callable(encode):
            checks.refuse("encode", "a function from observations to packed codes", encode)
        self.encode = encode
        self.capacity = checks.whole("capacity", capacity, lowest=2)
        self._first, self._count = 0, 0  # The oldest row, and how many there are.
        self._observations: np.ndarray | None = None
        self._codes = np.zeros([0, 0], np.uint8)
        self._actions = np.full([capacity], NONE, np.int32)
        self._rewards = np.zeros([capacity], np.float64)
        self._ended = np.zeros([capacity], bool)  # The episode, after the action.

    def __len__(self) -> int:
        """Number of observations."""
        return self._count

    def start(self, observation: ArrayLike) -> np.ndarray:
        """Takes the first observation of an episode; returns its code, uint8 [bytes]."""
        found = self._checked(observation)
        return self._append(found, self._encoded(found[np.newaxis])[0])

    def step(self, action: int, reward: float, observation: ArrayLike | None) -> np.ndarray | None:
        """Takes what an action has led to.

        Args:
            action: Int, done after the newest observation.
            reward: Finite number.
            observation: The next one; None at the end of an episode.

        Returns:
            code: Of the next observation, uint8 [bytes], or None.
        """
        row = (self._first + self._count - 1) % self.capacity
        if not self._count or self._actions[row] != NONE:
            raise ValueError(
                "An episode begins with an observation. Call start. "
                f"Received: {self._count} observations, the newest one with an action"
            )
        found = code = None
        if observation is not None:
            found = self._checked(observation)
            code = self._encoded(found[np.newaxis])[0]
        self.table.add(self._codes[row], action, reward, code)
        self._actions[row], self._rewards[row], self._ended[row] = action, reward, code is None
        return None if found is None or code is None else self._append(found, code)

    def reassign(self) -> int:
        """Encodes all observations again; returns how many transitions got other codes."""
        if self._observations is None or not self._count:
            return 0
        rows = self._rows()
        new = self._encoded(self._observations[rows])
        changed = (new != self._codes[rows]).any(axis=1)
        # A transition moves with either end.
        states = len(np.unique(new, axis=0))
        if self.table.max_states is not None and states > self.table.max_states:
            raise ValueError(
                "The table has no place for the states of this encoder. Raise max_states, or remember fewer "
                f"observations. Received: max_states={self.table.max_states}, {states} states"
            )
        moved = [
            k
            for k, row in enumerate(rows)
            if self._actions[row] != NONE
            and (changed[k] or (not self._ended[row] and changed[k + 1]))
        ]
        for k in moved:
            self.table.remove(*self._transition(rows[k]))
        self._codes[rows] = new
        for k in moved:
            self.table.add(*self._transition(rows[k]))
        return len(moved)

    def windows(self, count: int, length: int, seed: int) -> dict[str, np.ndarray]:
        """Draws windows of observations in a row, with the actions between them.

        Args:
            count: Int, windows, drawn with replacement.
            length: Int >= 2, observations of a window.
            seed: Int.

        Returns:
            windows: `image` [count, length, *shape] and `action` int32 [count, length - 1].

        Raises:
            ValueError: No episode is as long.
        """
        length = checks.whole("length", length, lowest=2)
        seed = checks.whole("seed", seed, 0, checks.INT64_MAX)
        rows = self._rows()
        going_on = (self._actions[rows] != NONE) & ~self._ended[rows]
        going_on[-1:] = False
        last = len(rows) - length + 1
        whole = [going_on[k : k + max(0, last)] for k in range(length - 1)]
        starts = np.flatnonzero(np.logical_and.reduce(whole)) if last > 0 else np.zeros([0], int)
        if self._observations is None or not len(starts):
            raise ValueError(
                f"No episode has {length} observations in a row. Act for longer, or draw shorter windows. "
                f"Received: length={length}, {self._count} observations"
            )
        drawn = np.random.default_rng(seed).choice(starts, checks.whole("count", count))
        chosen = rows[drawn[:, np.newaxis] + np.arange(length)]
        return {"image": self._observations[chosen], "action": self._actions[chosen[:, :-1]]}

    def state(self) -> dict[str, np.ndarray]:
        """Returns the memory as arrays, the oldest observation first; the table has a `state` of its own."""
        rows = self._rows()
        observations = np.zeros([0]) if self._observations is None else self._observations[rows]
        return {
            "observations": observations,
            "codes": self._codes[rows] if self._count else self._codes,
            "actions": self._actions[rows],
            "rewards": self._rewards[rows],
            "ended": self._ended[rows],
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Takes what `state` returned; the table must have been restored, too.

        Raises:
            ValueError: The memory holds something, or has no place for it.
        """
        size = len(state["observations"])
        if self._count or size > self.capacity:
            raise ValueError(
                "A memory is restored into an empty one of at least its size. Make a new one. "
                f"Received: {self._count} observations in it, {size} to come, capacity={self.capacity}"
            )
        for observation, code in zip(state["observations"], state["codes"], strict=True):
            self._append(observation, code)
        for name in ("actions", "rewards", "ended"):
            getattr(self, f"_{name}")[:size] = state[name]

    def _rows(self) -> np.ndarray:
        """The rows in the order of time."""
        return (self._first + np.arange(self._count)) % self.capacity

    def _transition(self, row: int) -> tuple[np.ndarray, int, float, np.ndarray | None]:
        after = None if self._ended[row] else self._codes[(row + 1) % self.capacity]
        return self._codes[row], int(self._actions[row]), float(self._rewards[row]), after

    def _append(self, observation: np.ndarray, code: np.ndarray) -> np.ndarray:
        if self._observations is None:
            self._observations = np.zeros([self.capacity, *observation.shape], observation.dtype)
            self._codes = np.zeros([self.capacity, code.size], np.uint8)
        if self._count == self.capacity:
            if self._actions[self._first] != NONE:
                self.table.remove(*self._transition(self._first))
            self._first, self._count = (self._first + 1) % self.capacity, self._count - 1
        row = (self._first + self._count) % self.capacity
        self._observations[row], self._codes[row] = observation, code
        self._actions[row], self._ended[row], self._rewards[row] = NONE, False, 0.0
        self._count += 1
        return code

    def _checked(self, observation: ArrayLike) -> np.ndarray:
        """Returns an observation, if it is of the kind of the first."""
        found = np.asarray(observation)
        first = self._observations
        if first is not None and (found.shape != first.shape[1:] or found.dtype != first.dtype):
            raise ValueError(
                f"Observations must be as the first one, {first.dtype} of shape {first.shape[1:]}. "
                f"Received: observation of {found.dtype} and shape {found.shape}"
            )
        return found

    def _encoded(self, observations: np.ndarray) -> np.ndarray:
        codes = np.asarray(self.encode(observations))
        if codes.ndim != 2 or len(codes) != len(observations) or codes.dtype != np.uint8:
            raise ValueError(
                "encode must return packed codes, uint8 [n, bytes], one for each observation. "
                f"Received: shape={codes.shape}, dtype={codes.dtype} for {len(observations)} observations"
            )
        return codes
