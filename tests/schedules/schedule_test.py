"""Schedule objects: values, serialisation, and what they refuse."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import schedules
from tf_discrete.schedules import schedule as schedule_lib

ALL = [
    schedules.Constant(0.3),
    schedules.Exponential(initial=2.0, rate=1e-3, floor=0.4, update_period=50),
    schedules.Linear(0.0, 1.0, steps=200, begin=100),
    schedules.Cosine(1.0, 0.1, steps=200, begin=100),
]
NAMES = [type(schedule).__name__ for schedule in ALL]
every_schedule = pytest.mark.parametrize("schedule", ALL, ids=NAMES)


def test_every_public_schedule_is_in_this_table():
    public = {
        name
        for name in schedules.__all__
        if isinstance(getattr(schedules, name), type)
        and issubclass(getattr(schedules, name), schedules.Schedule)
    }
    assert public - {"Schedule"} == set(NAMES)


@every_schedule
def test_a_value_depends_on_the_step_alone(schedule):
    """Nothing compounds: any order, any repetition, one step or many at once."""
    steps = [300, 5, 120, 120, 0, 5]
    one_by_one = [float(schedule(step)) for step in steps]
    np.testing.assert_array_equal(schedule.values(steps), np.float32(one_by_one))
    np.testing.assert_array_equal(schedule(tf.constant(steps, tf.int64)), np.float32(one_by_one))
    assert one_by_one[1] == one_by_one[5] and one_by_one[2] == one_by_one[3]


@every_schedule
def test_lowest_is_the_smallest_value(schedule):
    values = schedule.values(np.arange(5000))
    assert values.dtype == np.float32 and values.shape == (5000,)
    assert values.min() == pytest.approx(schedule.lowest(), abs=1e-7)


@every_schedule
def test_config_round_trip(schedule):
    text = json.dumps(keras.saving.serialize_keras_object(schedule), sort_keys=True)
    again = schedules.get(json.loads(text))
    assert type(again) is type(schedule)
    assert json.dumps(keras.saving.serialize_keras_object(again), sort_keys=True) == text
    steps = np.arange(0, 1000, 7)
    np.testing.assert_array_equal(again.values(steps), schedule.values(steps))


@every_schedule
def test_as_the_learning_rate_of_a_compiled_model(schedule, tmp_path):
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedule), "mse")
    model.fit(np.ones([8, 2]), np.ones([8, 1]), batch_size=4, epochs=1, verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(float(schedule(2)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.learning_rate) == pytest.approx(float(schedule(2)))


def test_exponential_of_rate_zero_is_constant():
    schedule = schedules.Exponential(initial=0.7, rate=0.0, floor=0.1)
    assert schedule.values([0, 10, 10**6]).tolist() == [np.float32(0.7)] * 3
    assert schedule.lowest() == 0.7
    above = schedules.Exponential(initial=0.1, rate=0.0, floor=0.7)
    assert float(above(0)) == pytest.approx(above.lowest()) == pytest.approx(0.7)


def test_get():
    assert schedules.get(2).get_config() == {"value": 2.0}
    assert schedules.get(np.float32(0.5)).get_config() == {"value": 0.5}
    assert schedules.get(ALL[1]) is ALL[1]
    theirs = keras.optimizers.schedules.PolynomialDecay(1.0, 10)
    assert schedules.get(theirs) is theirs


def test_get_makes_a_registered_one_by_its_name():
    assert schedules.names() == ["cosine", "exponential", "linear"]
    made = schedules.get("linear", initial=0.0, final=1.0, steps=10)
    assert made.get_config() == schedules.Linear(0.0, 1.0, 10).get_config()
    with pytest.raises(ValueError, match="Linear does not take these arguments.*'initial'"):
        schedules.get("linear")


@schedules.schedule.REGISTRY.restored()
def test_ones_own_is_registered():
    @schedules.register("schedule_test_steps")
    class Steps(schedules.Schedule):
        pass

    assert type(schedules.get("schedule_test_steps")) is Steps
    with pytest.raises(ValueError, match="The name of a schedule must be new.*name='linear'"):
        schedules.register("linear")(Steps)


@pytest.mark.parametrize("value", ["0.5", None, True, [0.5], "linaer"])
def test_get_refuses_what_is_no_schedule(value):
    with pytest.raises(
        ValueError, match="schedule must be one of cosine, .*or a number.*Received: schedule="
    ):
        schedules.get(value)


@pytest.mark.parametrize(
    "make,message",
    [
        (
            lambda: schedules.Exponential(rate=-1.0),
            "rate must be a finite number >= 0. Received: rate=-1.0",
        ),
        (
            lambda: schedules.Exponential(update_period=0),
            "update_period must be at least 1. Received: update_period=0",
        ),
        (
            lambda: schedules.Exponential(initial=0.5, floor=0.5),
            "floor must lie below initial.*use Constant.*Received: floor=0.5, initial=0.5",
        ),
        (
            lambda: schedules.Linear(0.0, 1.0, steps=0),
            "steps must be at least 1. Received: steps=0",
        ),
        (lambda: schedules.Cosine(0.0, 1.0, steps=-3), "steps must be at least 1.*steps=-3"),
        (
            lambda: schedules.Linear(0.0, 1.0, steps=5, begin=-1),
            "begin must be at least 0. Received: begin=-1",
        ),
        (
            lambda: schedules.Linear(0.0, float("inf"), steps=5),
            "final must be a finite number. Received: final=inf",
        ),
        (
            lambda: schedules.Exponential(initial=float("nan")),
            "initial must be a finite number. Received: initial=nan",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_schedule_without_a_formula_is_refused():
    with pytest.raises(NotImplementedError):
        schedule_lib.Schedule().lowest()
