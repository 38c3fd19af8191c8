"""`StateTable`: values of states with a code, learned from transitions by prioritised sweeping."""

from __future__ import annotations

import heapq
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.codes import packing
from tf_discrete.codes.hamming import hamming_distances

Pair = tuple[int, int]
"""A state, as a row of the table, and an action."""
_Key = TypeVar("_Key")


class StateTable:
    """A model of an environment with discrete states, counted from transitions, and the values of its states.

        Q(s, a) = mean reward of (s, a) + discount * mean over the counted s' of V(s'),  V(s) = max_a Q(s, a)

    States are packed codes, so that bits of an encoder serve as they are. `add` counts a transition, `remove`
    takes it back, for instance to file it under the new code of an encoder that has moved. `sweep` updates
    the states whose values are the most out of date first, and stops where no state is out of date by more
    than `tolerance`: the values are then those of value iteration on the counted model, up to
    tolerance / (1 - discount). Q of an action that was never tried in a state is 0. A state without counted
    transitions takes the mean of the nearest states that have some, those of the smallest Hamming distance.

    Args:
        num_actions: Int, actions 0 to num_actions - 1.
        discount: Number in [0, 1). Default: 0.99.
        tolerance: Number > 0, by how much a value may be out of date. Default: 1e-5.

    Raises:
        ValueError: An argument is out of range, or a transition was never added that is to be removed.

    Example:
        >>> table = StateTable(num_actions=2, discount=0.5)
        >>> left, right = np.array([0], np.uint8), np.array([1], np.uint8)
        >>> table.add(left, 1, 0.0, right)
        >>> table.add(right, 1, 1.0, None)          # the end of an episode
        >>> table.sweep()
        3
        >>> table.values([left, right]).tolist()
        [[0.0, 0.5], [0.0, 1.0]]

    Reference:
        Moore, Atkeson. Prioritized sweeping: reinforcement learning with less data and less time. 1993.
        Corneil, Gerstner, Brea. Efficient model-based deep reinforcement learning with variational state
        tabulation. 2018. arXiv:1802.04325.
    """

    def __init__(self, num_actions: int, discount: float = 0.99, tolerance: float = 1e-5):
        self.num_actions = checks.whole("num_actions", num_actions)
        self.discount = checks.number("discount", discount, lowest=0, below=1)
        self.tolerance = checks.positive("tolerance", tolerance)
        self._rows: dict[bytes, int] = {}
        self._codes: list[np.ndarray] = []
        self._q: list[np.ndarray] = []
        self._rewards: dict[Pair, float] = {}
        self._counts: dict[Pair, dict[int | None, int]] = {}
        self._sources: list[dict[Pair, int]] = []  # of each state: what led there, how many times
        self._visits: list[int] = []
        self._queue: list[tuple[float, int]] = []
        # Of each state: a bound on the change of its value by an update.
        self._changes: list[float] = []

    def __len__(self) -> int:
        """Number of states with a counted transition."""
        return sum(visits > 0 for visits in self._visits)

    def add(
        self, state: ArrayLike, action: int, reward: float, next_state: ArrayLike | None
    ) -> None:
        """Counts a transition.

        Args:
            state: uint8 [bytes], a packed code.
            action: Int.
            reward: Finite number.
            next_state: uint8 [bytes]; None at the end of an episode.
        """
        reward = checks.number("reward", reward)
        self._count(self._pair(state, action), reward, next_state, 1)

    def remove(
        self, state: ArrayLike, action: int, reward: float, next_state: ArrayLike | None
    ) -> None:
        """Takes a transition back that was added with the same arguments."""
        reward, pair = checks.number("reward", reward), self._pair(state, action)
        if self._counts.get(pair, {}).get(self._row(next_state), 0) < 1:
            checks.refuse("state", "one of a transition that was added", state)
        self._count(pair, reward, next_state, -1)

    def sweep(self, max_backups: int | None = None) -> int:
        """Updates values until none is out of date.

        Args:
            max_backups: Int, states to update at most. Default: None, no bound.

        Returns:
            backups: Int, states that were updated.
        """
        backups = 0
        while self._queue and (max_backups is None or backups < max_backups):
            priority, row = heapq.heappop(self._queue)
            if self._changes[row] != -priority:
                continue  # It was queued again with a higher priority, or updated.
            self._changes[row] = 0.0
            change = self._update(row)
            backups += 1
            for (source, action), count in self._sources[row].items():
                share = count / sum(self._counts[source, action].values())
                self._enqueue(source, self.discount * share * change)
        return backups

    def values(self, states: ArrayLike) -> np.ndarray:
        """Returns Q of states, float64 [n, num_actions], of packed codes uint8 [n, bytes]."""
        states = packing.check_packed(states, "states")
        if self._codes and len(states):
            self._check_size(states[0])
        return np.array([self._values(state) for state in states]).reshape([-1, self.num_actions])

    def _values(self, state: np.ndarray) -> np.ndarray:
        row = self._rows.get(state.tobytes())
        if row is not None and self._visits[row]:
            return self._q[row]
        known = [row for row, visits in enumerate(self._visits) if visits]
        if not known:
            return np.zeros(self.num_actions)
        distances = hamming_distances(state[np.newaxis], np.stack([self._codes[r] for r in known]))
        shell = np.flatnonzero(distances[0] == distances.min())
        return np.mean([self._q[known[i]] for i in shell], axis=0)

    def _count(self, pair: Pair, reward: float, next_state: ArrayLike | None, step: int) -> None:
        to = self._row(next_state)
        counts = self._counts.setdefault(pair, {})
        _add(counts, to, step)
        if to is not None:
            _add(self._sources[to], pair, step)
        self._rewards[pair] = self._rewards.get(pair, 0.0) + step * reward
        self._visits[pair[0]] += step
        self._enqueue(pair[0], np.inf)

    def _update(self, row: int) -> float:
        """Computes Q of a state anew, and returns by how much its value has changed."""
        before = self._q[row].max()
        for action in range(self.num_actions):
            counts = self._counts.get((row, action), {})
            visits = sum(counts.values())
            future = sum(
                count * self._q[to].max() for to, count in counts.items() if to is not None
            )
            total = self._rewards.get((row, action), 0.0) + self.discount * future
            self._q[row][action] = total / visits if visits else 0.0
        return abs(float(self._q[row].max() - before))

    def _enqueue(self, row: int, change: float) -> None:
        self._changes[row] += change
        if self._changes[row] > self.tolerance:
            heapq.heappush(self._queue, (-self._changes[row], row))

    def _pair(self, state: ArrayLike, action: int) -> Pair:
        action = checks.whole("action", action, lowest=0, highest=self.num_actions - 1)
        row = self._row(state)
        if row is None:
            checks.refuse("state", "a packed code", state)
        return row, action

    def _row(self, state: ArrayLike | None) -> int | None:
        if state is None:
            return None
        code = np.asarray(state)
        if code.ndim != 1 or code.dtype != np.uint8:
            checks.refuse("state", "a packed code, uint8 [bytes]", state)
        if self._codes:
            self._check_size(code)
        row = self._rows.setdefault(code.tobytes(), len(self._codes))
        if row == len(self._codes):
            self._codes.append(code.copy())
            self._q.append(np.zeros(self.num_actions))
            self._sources.append({})
            self._visits.append(0)
            self._changes.append(0.0)
        return row

    def _check_size(self, code: np.ndarray) -> None:
        if code.shape != self._codes[0].shape:
            checks.refuse("state", f"a packed code, uint8 [{self._codes[0].size}]", code)


def _add(counts: dict[_Key, int], key: _Key, step: int) -> None:
    counts[key] = counts.get(key, 0) + step
    if not counts[key]:
        del counts[key]
