"""Prioritised sweeping: the values of value iteration, whatever the order of the transitions."""

from __future__ import annotations

import numpy as np
import pytest

from tf_discrete.codes.state_table import StateTable

STATES, ACTIONS = 12, 3
END = STATES
Transition = tuple[int, int, float, int]


def code(state: int) -> np.ndarray:
    return np.array([0, state], np.uint8)


def transitions(count: int, seed: int = 0) -> list[Transition]:
    """Random ones; state END is the end of an episode, some actions are never tried."""
    draw = np.random.default_rng(seed)
    return [
        (int(s), int(a), float(r), int(n))
        for s, a, r, n in zip(
            draw.integers(0, STATES, count),
            draw.integers(0, ACTIONS, count),
            draw.normal(size=count),
            draw.integers(0, STATES + 1, count),
            strict=True,
        )
    ]


def arguments(one: Transition) -> tuple[np.ndarray, int, float, np.ndarray | None]:
    state, action, reward, after = one
    return code(state), action, reward, None if after == END else code(after)


def value_iteration(counted: list[Transition], discount: float) -> np.ndarray:
    """Q [STATES, ACTIONS] of the counted model; 0 of what was never tried."""
    counts, rewards = np.zeros([STATES, ACTIONS, STATES + 1]), np.zeros([STATES, ACTIONS])
    for state, action, reward, after in counted:
        counts[state, action, after] += 1
        rewards[state, action] += reward
    visits = np.maximum(counts.sum(axis=-1), 1)
    q = np.zeros([STATES, ACTIONS])
    for _ in range(1000):
        q = (rewards + discount * counts[..., :STATES] @ q.max(axis=-1)) / visits
    return q


@pytest.mark.parametrize("discount", [0.0, 0.9])
def test_the_values_are_those_of_value_iteration(discount):
    counted = transitions(60)
    table = StateTable(ACTIONS, discount, tolerance=1e-10)
    for one in counted:
        table.add(*arguments(one))
    assert table.sweep() > 0
    wanted = value_iteration(counted, discount)
    tried = sorted({state for state, *_ in counted})
    assert len(table) == len(tried) and (wanted == 0).any()
    found = table.values([code(state) for state in tried])
    np.testing.assert_allclose(found, wanted[tried], atol=1e-8)


def test_sweeps_in_between_and_with_a_limit_come_to_the_same_values():
    counted = transitions(60, seed=1)
    table = StateTable(ACTIONS, 0.9, tolerance=1e-10)
    for one in counted:
        table.add(*arguments(one))
        assert table.sweep(max_backups=2) <= 2
    while table.sweep(max_backups=7):
        pass
    states = [code(state) for state, *_ in counted]
    wanted = value_iteration(counted, 0.9)[[state for state, *_ in counted]]
    np.testing.assert_allclose(table.values(states), wanted, atol=1e-8)


def test_transitions_that_are_taken_back_leave_nothing():
    kept, moved = transitions(40, seed=2), transitions(30, seed=3)
    table, other = StateTable(ACTIONS, 0.9, 1e-10), StateTable(ACTIONS, 0.9, 1e-10)
    for one in kept + moved:
        table.add(*arguments(one))
    table.sweep()
    for one in moved:
        table.remove(*arguments(one))
    for one in kept:
        other.add(*arguments(one))
    table.sweep()
    other.sweep()
    every = [code(state) for state in range(STATES)]
    assert len(table) == len(other)
    np.testing.assert_allclose(table.values(every), other.values(every), atol=1e-8)


def test_a_large_tolerance_bounds_the_error():
    counted = transitions(60, seed=4)
    table = StateTable(ACTIONS, 0.9, tolerance=0.01)
    for one in counted:
        table.add(*arguments(one))
    table.sweep()
    states = sorted({state for state, *_ in counted})
    error = table.values([code(s) for s in states]) - value_iteration(counted, 0.9)[states]
    assert np.abs(error).max() <= 0.01 / (1 - 0.9)


def test_a_state_that_was_never_seen_takes_the_mean_of_the_nearest():
    table = StateTable(1, 0.5)
    for state, reward in [(0b0001, 1.0), (0b0111, 3.0), (0b1111, 100.0)]:
        table.add(code(state), 0, reward, None)
    table.sweep()
    # Distances of 0011: 1 and 1, then 2.
    np.testing.assert_allclose(table.values([code(0b0011)]), [[2.0]])
    # Seen as an end alone: without transitions of its own it is a new state too.
    table.add(code(0b1111), 0, 100.0, code(0b0110))
    table.sweep()
    np.testing.assert_allclose(table.values([code(0b0110)]), [[3.0]])


def test_an_empty_table_values_everything_at_0():
    table = StateTable(2)
    assert table.sweep() == 0 and len(table) == 0
    np.testing.assert_array_equal(table.values([code(1), code(2)]), np.zeros([2, 2]))
    assert table.values(np.zeros([0, 2], np.uint8)).shape == (0, 2)


def test_bad_arguments():
    with pytest.raises(ValueError, match="num_actions must be at least 1.*Received: num_actions=0"):
        StateTable(0)
    with pytest.raises(ValueError, match="discount must be in.*Received: discount=1"):
        StateTable(2, 1.0)
    table = StateTable(2)
    table.add(code(0), 0, 0.0, None)
    with pytest.raises(ValueError, match="action must be at most 1.*Received: action=2"):
        table.add(code(0), 2, 0.0, None)
    with pytest.raises(ValueError, match=r"a packed code, uint8 \[2\]"):
        table.add(np.zeros([3], np.uint8), 0, 0.0, None)
    with pytest.raises(ValueError, match="one of a transition that was added"):
        table.remove(code(0), 1, 0.0, None)


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), "1"])
def test_a_reward_that_is_no_number_leaves_the_table_as_it_was(reward):
    table = StateTable(2)
    with pytest.raises(ValueError, match="reward must be.*Received: reward="):
        table.add(code(0), 0, reward, code(1))
    assert len(table) == 0 and table.sweep() == 0


def test_codes_are_not_changed_when_taken():
    table = StateTable(2)
    for state in ([0.5, 1.0], [0, 256]):
        with pytest.raises(ValueError, match=r"a packed code, uint8 \[bytes\].*Received: state="):
            table.add(state, 0, 0.0, None)
        with pytest.raises(ValueError, match="states must be packed codes"):
            table.values([state])
    table.add(code(0), 0, 0.0, None)
    with pytest.raises(ValueError, match=r"a packed code, uint8 \[2\]"):
        table.values(np.zeros([1, 3], np.uint8))


def test_states_that_no_transition_knows_take_no_place():
    table = StateTable(ACTIONS, 0.9, max_states=2)
    for state in range(STATES):
        table.add(code(state), 0, 1.0, code(state + 1))
        with pytest.raises(ValueError, match="no place for another state.*max_states=2, 2 states"):
            table.add(code(state + 2), 0, 1.0, None)
        table.remove(code(state), 0, 1.0, code(state + 1))
        assert len(table) == 0 and table.sweep() <= 2
    np.testing.assert_array_equal(table.values([code(3)]), np.zeros([1, ACTIONS]))


def test_a_restored_table_goes_on_bit_for_bit():
    one = StateTable(ACTIONS, 0.9)
    for transition in transitions(60, seed=7):
        one.add(*arguments(transition))
    one.sweep(5)
    other = StateTable(ACTIONS, 0.9)
    other.restore(one.state())
    for table in (one, other):
        for transition in transitions(60, seed=7)[::3]:
            table.remove(*arguments(transition))
        for transition in transitions(30, seed=8):
            table.add(*arguments(transition))
        table.sweep(9)
    left, right = one.state(), other.state()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)
    with pytest.raises(ValueError, match="restored into one of the same kind.*num_actions=1"):
        StateTable(1).restore(left)
    with pytest.raises(ValueError, match="same kind.*max_states=1"):
        StateTable(ACTIONS, max_states=1).restore(left)


def test_the_codes_of_a_transition_have_one_size():
    with pytest.raises(ValueError, match=r"a packed code, uint8 \[2\]"):
        StateTable(2).add(code(0), 0, 0.0, np.zeros([3], np.uint8))


def test_bounded_sweeps_keep_the_queue_short():
    table, free = (
        StateTable(ACTIONS, 0.99, tolerance=1e-8),
        StateTable(ACTIONS, 0.99, tolerance=1e-8),
    )
    for seed in range(40):
        for transition in transitions(50, seed):
            table.add(*arguments(transition))
            free.add(*arguments(transition))
            table.sweep(1)
    assert len(table.state()["queue"]) <= 4 * len(table.state()["values"]) + 65
    table.sweep()
    free.sweep()
    every = [code(state) for state in range(STATES)]
    np.testing.assert_allclose(table.values(every), free.values(every), atol=1e-5)


def test_a_saved_state_does_not_follow_the_table():
    table = StateTable(ACTIONS, 0.9)
    table.add(code(1), 0, 1.0, None)
    saved = table.state()
    before = {name: array.copy() for name, array in saved.items()}
    table.add(code(2), 1, 1.0, code(3))
    for name, array in saved.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


@pytest.mark.parametrize("limit", [2.7, np.nan, "3", -1, True])
def test_a_limit_of_backups_is_a_whole_number(limit):
    table = StateTable(num_actions=2)
    with pytest.raises(ValueError, match="max_backups must be .*Received: max_backups="):
        table.sweep(limit)
