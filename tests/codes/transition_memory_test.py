"""The memory of transitions: what is in its table after codes have moved and the oldest are forgotten."""

from __future__ import annotations

import numpy as np
import pytest

from tf_discrete.codes import StateTable, TransitionMemory

ACTIONS = 3
Step = tuple[int, float, int]


def encoder(seed: int):
    """Codes of observations [n, 2] in 0..9, many of which share one."""
    table = np.random.default_rng(seed).integers(0, 4, [10, 10]).astype(np.uint8)
    return lambda x: table[x[:, 0], x[:, 1]][:, np.newaxis]


def act(memory: TransitionMemory, steps: int, seed: int) -> list[tuple]:
    """Takes random steps; returns all transitions (x, action, reward, next x or None)."""
    draw = np.random.default_rng(seed)
    done: list[tuple] = []
    x = None
    for _ in range(steps):
        if x is None:
            x = draw.integers(0, 10, 2)
            memory.start(x)
        action, reward = int(draw.integers(ACTIONS)), float(draw.integers(-3, 4))
        after = None if draw.random() < 0.1 else draw.integers(0, 10, 2)
        memory.step(action, reward, after)
        done.append((x, action, reward, after))
        x = after if draw.random() < 0.9 else None  # Some episodes are cut.
    return done


def table_of(done: list[tuple], encode) -> StateTable:
    table = StateTable(ACTIONS, 0.9, 1e-10)
    for x, action, reward, after in done:
        to = None if after is None else encode(after[np.newaxis])[0]
        table.add(encode(x[np.newaxis])[0], action, reward, to)
    table.sweep()
    return table


def values(table: StateTable) -> np.ndarray:
    table.sweep()
    return table.values(np.arange(4, dtype=np.uint8)[:, np.newaxis])


def make(capacity: int = 1000) -> TransitionMemory:
    return TransitionMemory(StateTable(ACTIONS, 0.9, 1e-10), encoder(0), capacity)


def test_reassigned_transitions_are_those_of_a_new_table():
    memory = make()
    done = act(memory, 200, seed=1)
    np.testing.assert_allclose(values(memory.table), values(table_of(done, encoder(0))), atol=1e-7)
    for seed in (5, 6):
        memory.encode = encoder(seed)
        assert 0 < memory.reassign() <= 200
        wanted = table_of(done, encoder(seed))
        np.testing.assert_allclose(values(memory.table), values(wanted), atol=1e-7)
        assert len(memory.table) == len(wanted)
    assert memory.reassign() == 0


def test_what_is_forgotten_leaves_the_table():
    memory = make(capacity=50)
    done = act(memory, 300, seed=2)
    assert len(memory) == 50
    state = memory.state()
    kept = int((state["actions"] >= 0).sum())
    # An episode that was cut has a last observation without an action.
    assert 30 < kept < 50
    wanted = table_of(done[-kept:], encoder(0))
    np.testing.assert_allclose(values(memory.table), values(wanted), atol=1e-7)


def test_windows_are_steps_in_a_row():
    memory = make(capacity=80)
    done = act(memory, 150, seed=3)
    known = {(*x, action, *after) for x, action, _, after in done if after is not None}
    found = memory.windows(500, 3, seed=0)
    assert found["image"].shape == (500, 3, 2) and found["action"].shape == (500, 2)
    for image, action in zip(found["image"], found["action"], strict=True):
        for k in range(2):
            assert (*image[k], action[k], *image[k + 1]) in known
    again, other = memory.windows(500, 3, seed=0), memory.windows(500, 3, seed=1)
    np.testing.assert_array_equal(found["image"], again["image"])
    assert (found["image"] != other["image"]).any()


def test_a_restored_memory_and_table_go_on_bit_for_bit():
    one = make(capacity=60)
    act(one, 100, seed=4)
    one.table.sweep(3)  # Some values are out of date.
    other = make(capacity=60)
    other.table.restore(one.table.state())
    other.restore(one.state())
    for memory in (one, other):
        act(memory, 100, seed=5)
        memory.encode = encoder(1)
        memory.reassign()
        memory.table.sweep(7)
    for first, second in ((one, other), (one.table, other.table)):
        left, right = first.state(), second.state()
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def test_an_empty_memory_is_restored():
    other = make()
    other.restore(make().state())
    assert len(other) == 0 and other.reassign() == 0


def test_bad_input():
    memory = make()
    with pytest.raises(ValueError, match="Call start.*Received: 0 observations"):
        memory.step(0, 0.0, None)
    with pytest.raises(ValueError, match="No episode has 2 observations.*Received: length=2"):
        memory.windows(1, 2, seed=0)
    memory.start(np.array([1, 2]))
    with pytest.raises(ValueError, match="Observations must be as the first one.*float64"):
        memory.step(0, 0.0, np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"Observations must be as the first one.*shape \(3,\)"):
        memory.start(np.array([1, 2, 3]))
    memory.step(0, 0.0, None)
    with pytest.raises(ValueError, match="Call start"):
        memory.step(0, 0.0, None)
    with pytest.raises(ValueError, match="length must be at least 2"):
        memory.windows(1, 1, seed=0)
    with pytest.raises(ValueError, match="restored into an empty one"):
        memory.restore(make().state())
    with pytest.raises(ValueError, match="capacity must be at least 2.*Received: capacity=1"):
        make(capacity=1)
    wrong = TransitionMemory(StateTable(2), lambda x: x, 10)
    with pytest.raises(ValueError, match="encode must return packed codes.*dtype=int64"):
        wrong.start(np.array([1, 2]))


def test_an_encoder_with_too_many_states_changes_nothing():
    table = StateTable(ACTIONS, 0.9, max_states=3)
    memory = TransitionMemory(table, lambda x: np.zeros([len(x), 1], np.uint8), 100)
    act(memory, 50, seed=6)
    before = memory.table.state()
    memory.encode = encoder(0)
    with pytest.raises(ValueError, match="no place for the states.*max_states=3, 4 states"):
        memory.reassign()
    for name, array in memory.table.state().items():
        np.testing.assert_array_equal(array, before[name])
