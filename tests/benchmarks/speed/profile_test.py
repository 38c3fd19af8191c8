"""The profile of a step: own times of nested events, and a real one."""

import pytest

from benchmarks import store
from benchmarks.speed import profile
from benchmarks.speed.profile import Event


def test_own_times_leave_out_what_an_event_contains():
    events = [
        Event("Run", 0.0, 10.0),
        Event("MatMul", 1.0, 4.0),
        Event("Exp", 2.0, 1.0),
        Event("MatMul", 6.0, 2.0),
        Event("Sum", 10.0, 3.0),  # Begins where the first ends.
    ]
    found = sorted(profile.own_times(reversed(events)))
    assert found == [("Exp", 1.0), ("MatMul", 2.0), ("MatMul", 3.0), ("Run", 4.0), ("Sum", 3.0)]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("_FusedMatMul", "matrix products"),
        ("_MklNativeFusedMatMul", "matrix products"),
        ("_MklMatMul", "matrix products"),
        ("_MklSoftmax", "exponentials and logarithms"),
        ("StatelessRandomUniformV2", "random numbers"),
        ("AssignAddVariableOp", "data and metrics"),
        ("broadcast_multiply_fusion", "other fused loops"),
        ("Mul", profile.REST),
    ],
)
def test_classes(name, expected):
    assert profile.class_of(name) == expected


def test_rows_are_means_of_a_step_and_the_table_has_shares():
    times = [("MatMul", 3000.0), ("MatMul", 1000.0), ("Mul", 1000.0)]
    found = profile.rows([*times, ("ExecutorState::Process", 9000.0)], steps=2)
    assert found[0] == ("matrix products", 2.0, 1.0) and found[1] == (profile.REST, 0.5, 0.5)
    assert "| matrix products | 2.000 | 80% | 1.0 |" in profile.table(found)


def test_recorded_profiles_are_rows_of_shares(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    record = {
        **{
            "model": "mlp",
            "batch": 100,
            "dtype": "float32",
            "threads": 2,
            "contender": "ours_loop",
        },
        "rows": [["matrix products", 3.0, 9.0], [profile.REST, 1.0, 50.0]],
        "provenance": {"processor": "P", "cores": 2, "date": "2026-11-30", "commit": "a" * 40},
    }
    earlier = {**record, "rows": [["optimizer", 1.0, 1.0]]}  # Of another number of steps, say.
    store.append(profile.RESULTS, {**earlier, "name": "mlp, 60"})
    store.append(profile.RESULTS, {**record, "name": "mlp, 200"})  # By name it comes first.
    text = profile.recorded(store.oldest_first(profile.RESULTS))
    (line,) = [row for row in text.splitlines() if "784" in row]
    assert line.startswith(
        "| 784-512-256-(20 x 10) | 100 | float32 | fit in the compiled loop | 2 | P | 75%"
    )
    assert line.endswith("| 25% |")
    assert text.endswith("\n\nP, 2 cores, 2026-11-30, commit aaaaaaaa.\n")
