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
END = -1
"""In saved transitions: the end of an episode."""


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
        max_states: Int, states that the table holds at most, those that transitions only lead to among them;
            a state that no counted transition knows takes no place. Default: None, no bound.

    Raises:
        ValueError: An argument is out of range, a transition was never added that is to be removed, or a
            state has no place.

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

    def __init__(
        self,
        num_actions: int,
        discount: float = 0.99,
        tolerance: float = 1e-5,
        max_states: int | None = None,
    ):
        self.num_actions = checks.whole("num_actions", num_actions)
        self.discount = checks.number("discount", discount, lowest=0, below=1)
        self.tolerance = checks.positive("tolerance", tolerance)
        self.max_states = None if max_states is None else checks.whole("max_states", max_states)
        self._rows: dict[bytes, int] = {}
        self._free: list[int] = []  # Rows that hold no state any more.
        self._codes = np.zeros([0, 0], np.uint8)  # Of the rows, and of rows to come.
        self._q: list[list[float]] = []
        self._best: list[float] = []  # Of each state: the largest Q.
        self._rewards: dict[Pair, float] = {}
        self._counts: dict[Pair, dict[int | None, int]] = {}
        self._totals: dict[Pair, int] = {}  # The sums of the counts.
        self._sources: list[dict[Pair, int]] = []  # of each state: what led there, how many times
        self._visits = np.zeros([0], np.int64)
        self._queue: list[tuple[float, int]] = []
        # Of each state: a bound on the change of its value by an update.
        self._changes: list[float] = []

    def __len__(self) -> int:
        """Number of states with a counted transition."""
        return int(np.count_nonzero(self._visits))

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
        reward, action = checks.number("reward", reward), self._action(action)
        codes = self._pair(state, next_state)
        new = {code.tobytes() for code in codes if code is not None} - self._rows.keys()
        if self.max_states is not None and len(self._rows) + len(new) > self.max_states:
            raise ValueError(
                f"The table has no place for another state. Raise max_states, or remove old transitions. "
                f"Received: max_states={self.max_states}, {len(self._rows)} states in the table"
            )
        row, to = (None if code is None else self._row(code) for code in codes)
        assert row is not None
        self._count((row, action), reward, to, 1)

    def remove(
        self, state: ArrayLike, action: int, reward: float, next_state: ArrayLike | None
    ) -> None:
        """Takes a transition back that was added with the same arguments."""
        reward, action = checks.number("reward", reward), self._action(action)
        codes = self._pair(state, next_state)
        row, to = (None if code is None else self._rows.get(code.tobytes(), -1) for code in codes)
        assert row is not None
        pair = row, action
        if self._counts.get(pair, {}).get(to, 0) < 1:
            checks.refuse("state", "one of a transition that was added", state)
        self._count(pair, reward, to, -1)
        self._release(row)
        if to is not None and to != row:
            self._release(to)

    def sweep(self, max_backups: int | None = None) -> int:
        """Updates values until none is out of date.

        Args:
            max_backups: Int, states to update at most. Default: None, no bound.

        Returns:
            backups: Int, states that were updated.
        """
        max_backups = checks.optional(checks.whole, "max_backups", max_backups, 0)
        backups = 0
        while self._queue and (max_backups is None or backups < max_backups):
            priority, row = heapq.heappop(self._queue)
            if self._changes[row] != -priority:
                continue  # It was queued again with a higher priority, or updated.
            self._changes[row] = 0.0
            change = self._update(row)
            backups += 1
            for (source, action), count in self._sources[row].items():
                share = count / self._totals[source, action]
                self._enqueue(source, self.discount * share * change)
        return backups

    def values(self, states: ArrayLike) -> np.ndarray:
        """Returns Q of states, float64 [n, num_actions], of packed codes uint8 [n, bytes]."""
        states = packing.check_packed(states, "states")
        if self._q and len(states):
            self._check_size(states[0])
        return np.array([self._values(state) for state in states]).reshape([-1, self.num_actions])

    def state(self) -> dict[str, np.ndarray]:
        """Returns the table as arrays; one that takes them by `restore` goes on exactly as this one."""
        counts = [
            (*pair, END if to is None else to, count)
            for pair, found in self._counts.items()
            for to, count in found.items()
        ]
        sources = [
            (row, *pair, count)
            for row, found in enumerate(self._sources)
            for pair, count in found.items()
        ]
        return {
            "codes": self._codes.copy(),
            "rows": np.array(list(self._rows.values()), np.int64),
            "free": np.array(self._free, np.int64),
            "values": np.array(self._q).reshape([-1, self.num_actions]),
            "visits": self._visits.copy(),
            "changes": np.array(self._changes, np.float64),
            "queue": np.array(self._queue, np.float64).reshape([-1, 2]),
            "counts": np.array(counts, np.int64).reshape([-1, 4]),
            "rewards": np.array(list(self._rewards.values()), np.float64),
            "sources": np.array(sources, np.int64).reshape([-1, 4]),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Becomes the table whose `state` this is; its actions, discount and bounds must be the same.

        Raises:
            ValueError: The state is of a table with another number of actions, or of more states than have a
                place.
        """
        states, actions = len(state["rows"]), state["values"].shape[1]
        room = self.max_states is None or states <= self.max_states
        if actions != self.num_actions or not room:
            raise ValueError(
                "A table is restored into one of the same kind. Make it with the same arguments. Received: "
                f"{states} states with {actions} actions, max_states={self.max_states}, "
                f"num_actions={self.num_actions}"
            )
        self._codes, self._visits = state["codes"].copy(), state["visits"].copy()
        self._rows = {self._codes[row].tobytes(): int(row) for row in state["rows"]}
        self._free = state["free"].tolist()
        self._q = state["values"].tolist()
        self._best = state["values"].max(axis=1).tolist()
        self._changes = state["changes"].tolist()
        self._queue = [(priority, int(row)) for priority, row in state["queue"].tolist()]
        self._counts = {}
        for row, action, to, count in state["counts"].tolist():
            self._counts.setdefault((row, action), {})[None if to == END else to] = count
        self._totals = {pair: sum(found.values()) for pair, found in self._counts.items()}
        self._rewards = dict(zip(self._counts, state["rewards"].tolist(), strict=True))
        self._sources = [{} for _ in self._q]
        for row, source, action, count in state["sources"].tolist():
            self._sources[row][source, action] = count

    def _values(self, state: np.ndarray) -> ArrayLike:
        row = self._rows.get(state.tobytes())
        if row is not None and self._visits[row]:
            return self._q[row]
        known = np.flatnonzero(self._visits)
        if not len(known):
            return np.zeros(self.num_actions)
        distances = hamming_distances(state[np.newaxis], self._codes[known])[0]
        shell = known[distances == distances.min()]
        return np.mean([self._q[row] for row in shell], axis=0)

    def _count(self, pair: Pair, reward: float, to: int | None, step: int) -> None:
        counts = self._counts.setdefault(pair, {})
        _add(counts, to, step)
        self._totals[pair] = self._totals.get(pair, 0) + step
        self._rewards[pair] = self._rewards.get(pair, 0.0) + step * reward
        if not counts:  # Rounded sums of rewards go with the last transition.
            del self._counts[pair], self._totals[pair], self._rewards[pair]
        if to is not None:
            _add(self._sources[to], pair, step)
        self._visits[pair[0]] += step
        self._enqueue(pair[0], np.inf)

    def _update(self, row: int) -> float:
        """Computes Q of a state anew, and returns by how much its value has changed."""
        q, before = self._q[row], self._best[row]
        for action in range(self.num_actions):
            pair = row, action
            future = 0.0
            # No `sum`: of floats it rounds differently from one version of Python to the next.
            for to, count in self._counts.get(pair, {}).items():
                if to is not None:
                    future += count * self._best[to]
            total = self._rewards.get(pair, 0.0) + self.discount * future
            q[action] = total / self._totals[pair] if pair in self._totals else 0.0
            self._best[row] = max(q)  # The state may lead to itself.
        return abs(self._best[row] - before)

    def _enqueue(self, row: int, change: float) -> None:
        self._changes[row] += change
        if self._changes[row] > self.tolerance:
            heapq.heappush(self._queue, (-self._changes[row], row))
        if len(self._queue) > 4 * len(self._q) + 64:  # Most are of earlier, smaller changes.
            due = enumerate(self._changes)
            self._queue = [(-change, row) for row, change in due if change > self.tolerance]
            heapq.heapify(self._queue)

    def _action(self, action: int) -> int:
        return checks.whole("action", action, lowest=0, highest=self.num_actions - 1)

    def _pair(
        self, state: ArrayLike, next_state: ArrayLike | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the codes of a transition; all have the size of the first."""
        code = _code(state)
        if not self._q:
            self._grow(code.size)
        self._check_size(code)
        if next_state is None:
            return code, None
        after = _code(next_state)
        self._check_size(after)
        return code, after

    def _row(self, code: np.ndarray) -> int:
        """Returns the row of a state, a new one if it has none."""
        key = code.tobytes()
        if key in self._rows:
            return self._rows[key]
        if not self._free:
            self._grow(code.size)
        row = self._rows[key] = self._free.pop()
        self._codes[row] = code
        self._q[row] = [0.0] * self.num_actions
        self._best[row] = self._changes[row] = 0.0
        return row

    def _grow(self, size: int) -> None:
        """Makes twice as many rows for codes of `size` bytes."""
        rows = len(self._q)
        more = max(16, rows)
        self._codes = np.concatenate(
            [self._codes.reshape([rows, size]), np.zeros([more, size], np.uint8)]
        )
        self._visits = np.concatenate([self._visits, np.zeros([more], np.int64)])
        self._q += [[0.0] * self.num_actions for _ in range(more)]
        self._best += [0.0] * more
        self._sources += [{} for _ in range(more)]
        self._changes += [0.0] * more
        self._free += range(rows + more - 1, rows - 1, -1)

    def _release(self, row: int) -> None:
        """Frees the row of a state that no counted transition knows."""
        if not self._visits[row] and not self._sources[row]:
            del self._rows[self._codes[row].tobytes()]
            self._changes[row] = 0.0
            self._free.append(row)

    def _check_size(self, code: np.ndarray) -> None:
        if code.shape != self._codes.shape[1:]:
            checks.refuse("state", f"a packed code, uint8 [{self._codes.shape[1]}]", code)


def _code(state: ArrayLike) -> np.ndarray:
    code = np.asarray(state)
    if code.ndim != 1 or code.dtype != np.uint8:
        checks.refuse("state", "a packed code, uint8 [bytes]", state)
    return code


def _add(counts: dict[_Key, int], key: _Key, step: int) -> None:
    counts[key] = counts.get(key, 0) + step
    if not counts[key]:
        del counts[key]
