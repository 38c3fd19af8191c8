"""The scheduled variable: set inside a compiled step, saved, and never frozen."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, schedules
from tf_discrete.schedules import Exponential, Linear, ScheduledVariable


def test_starts_at_the_value_of_step_zero_and_follows():
    scheduled = ScheduledVariable(Exponential(initial=2.0, rate=0.1, floor=0.5), name="temperature")
    assert float(scheduled.value) == 2.0
    for step in (3, 1, 100, 3):
        scheduled.update(step)
        assert float(scheduled.value) == pytest.approx(max(0.5, 2.0 * np.exp(-0.1 * step)))
    assert scheduled.trainable_variables == [] and len(scheduled.variables) == 1


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_compiled_step_it_is_not_frozen(jit_compile):
    scheduled = ScheduledVariable(Linear(0.0, 1.0, steps=10))
    step = tf.Variable(0, dtype=tf.int64)
    traces = []

    @tf.function(jit_compile=jit_compile)
    def train():
        traces.append(1)
        scheduled.update(step)
        step.assign_add(1)
        return scheduled.value

    assert [round(float(train()), 6) for _ in range(4)] == [0.0, 0.1, 0.2, 0.3]
    assert len(traces) == 1


def test_several_steps_in_one_execution_each_see_their_own_value():
    scheduled = ScheduledVariable(Linear(0.0, 1.0, steps=10))

    @tf.function
    def train():
        values = tf.TensorArray(tf.float32, 5)
        for step in tf.range(5):
            scheduled.update(step)
            values = values.write(step, scheduled.value)
        return values.stack()

    np.testing.assert_allclose(train(), [0.0, 0.1, 0.2, 0.3, 0.4], atol=1e-7)


@keras.saving.register_keras_serializable("tests")
class Tempered(keras.layers.Layer):
    """A layer that owns a scheduled value and an estimator that owns another."""

    def __init__(self, weight=1.0, estimator="gumbel_softmax", **kwargs):
        super().__init__(**kwargs)
        self.weight = ScheduledVariable(weight, name="kl_weight")
        self.estimator = estimators.get(estimator)

    def call(self, inputs):
        return inputs * self.weight.value * self.estimator.temperature.value

    def get_config(self):
        return {
            **super().get_config(),
            "weight": self.weight.get_config()["schedule"],
            "estimator": estimators.serialize(self.estimator),
        }


def test_a_keras_file_keeps_the_schedule_and_the_value(tmp_path):
    layer = Tempered(
        Linear(0.0, 1.0, steps=100),
        estimators.get("gumbel_softmax", temperature=Exponential(rate=0.01, floor=0.1)),
    )
    model = keras.Sequential([keras.Input([1]), layer])
    for scheduled in schedules.scheduled_values(model):
        scheduled.update(30)
    expected = 0.3 * np.exp(-0.3)
    assert float(model(tf.ones([1, 1]))[0, 0]) == pytest.approx(expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded(tf.ones([1, 1]))[0, 0]) == pytest.approx(expected)
    for scheduled in schedules.scheduled_values(loaded):
        scheduled.update(60)
    assert float(loaded(tf.ones([1, 1]))[0, 0]) == pytest.approx(0.6 * np.exp(-0.6))


def test_a_checkpoint_keeps_the_value(tmp_path):
    scheduled = ScheduledVariable(Linear(0.0, 1.0, steps=100))
    scheduled.update(30)
    path = tf.train.Checkpoint(scheduled=scheduled).write(str(tmp_path / "checkpoint"))
    other = ScheduledVariable(Linear(0.0, 1.0, steps=100))
    tf.train.Checkpoint(scheduled=other).read(path).assert_consumed()
    assert float(other.value) == pytest.approx(0.3)


def test_scheduled_values_finds_each_once():
    layer = Tempered(Linear(0.0, 1.0, steps=100))
    model = keras.Sequential([keras.Input([1]), layer])
    found = list(schedules.scheduled_values(model))
    assert sorted(scheduled.name for scheduled in found) == ["kl_weight", "temperature"]
    assert {id(s) for s in found} == {id(layer.weight), id(layer.estimator.temperature)}
    assert list(schedules.scheduled_values(keras.layers.Dense(1))) == []


def test_config_round_trip():
    scheduled = ScheduledVariable(Linear(0.5, 1.0, steps=100), name="temperature", positive=True)
    again = ScheduledVariable.from_config(scheduled.get_config())
    assert again.get_config() == scheduled.get_config()
    assert again.name == "temperature" and again.positive


def test_it_stays_float32_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scheduled = ScheduledVariable(Linear(1.0, 0.1, steps=3), dtype="float16")
    finally:
        keras.config.set_dtype_policy("float32")
    scheduled.update(1)
    assert scheduled.value.dtype == tf.float32 and float(scheduled.value) == pytest.approx(0.7)


@pytest.mark.parametrize(
    "schedule,lowest",
    [
        (0.0, "0.0"),
        (-1.0, "-1.0"),
        (Linear(1.0, 0.0, steps=10), "0.0"),
        (Exponential(floor=0.0), "0.0"),
        (keras.optimizers.schedules.PolynomialDecay(-0.5, 10, -1.0), "-0.5"),
    ],
)
def test_values_that_must_be_positive(schedule, lowest):
    with pytest.raises(
        ValueError, match=f"temperature must be positive at every step.*temperature={lowest}"
    ):
        ScheduledVariable(schedule, name="temperature", positive=True)
    assert ScheduledVariable(schedule, name="kl_weight").positive is False


def test_a_keras_schedule_is_taken_where_values_must_be_positive():
    scheduled = ScheduledVariable(
        keras.optimizers.schedules.ExponentialDecay(1.0, 10, 0.5), name="slope", positive=True
    )
    scheduled.update(10)
    assert float(scheduled.value) == pytest.approx(0.5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(value):
    with pytest.raises(
        ValueError, match=f"kl_weight must be a finite number. Received: kl_weight={value}"
    ):
        ScheduledVariable(value, name="kl_weight")
    with pytest.raises(ValueError, match=f"temperature must be .*temperature={value}"):
        ScheduledVariable(value, name="temperature", positive=True)
