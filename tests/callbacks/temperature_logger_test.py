import keras
import numpy as np
import pytest

from tf_discrete import callbacks, layers, losses, models, schedules

X = np.random.default_rng(0).integers(0, 2, [16, 6]).astype("float32")
TEMPERATURE = schedules.Linear(1.0, 0.5, steps=8)
KL_WEIGHT = schedules.Linear(0.0, 1.0, steps=8)


def _fit(model, **options):
    logger = callbacks.TemperatureLogger()
    return model.fit(X, X, epochs=2, verbose=0, callbacks=[logger], **options).history


def _check(temperatures, kl_weights):
    """4 steps of 4 examples an epoch; the last steps of the epochs are those of number 3 and 7."""
    assert temperatures == pytest.approx([1 - 0.5 * 3 / 8, 1 - 0.5 * 7 / 8])
    assert kl_weights == pytest.approx([3 / 8, 7 / 8])


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_logs_the_values_of_a_layer_as_the_last_step_used_them(steps_per_execution):
    model = keras.Sequential(
        [
            keras.Input([6]),
            layers.LatentHead(3, 2),
            layers.GumbelSoftmax(temperature=TEMPERATURE, kl_weight=KL_WEIGHT),
            keras.layers.Flatten(),
            keras.layers.Dense(6),
        ]
    )
    model.compile("sgd", losses.NegativeLogLikelihood(), steps_per_execution=steps_per_execution)
    history = _fit(model, batch_size=4)
    _check(history["temperature"], history["kl_weight"])


def test_logs_the_values_of_a_model():
    model = models.CategoricalVAE(
        [6],
        num_variables=3,
        num_categories=2,
        hidden_units=[],
        temperature=TEMPERATURE,
        kl_weight=KL_WEIGHT,
    )
    model.compile("sgd", run_eagerly=True)
    history = _fit(model, batch_size=4)
    _check(history["temperature"], history["kl_weight"])


def test_tells_the_values_of_several_layers_apart():
    model = keras.Sequential(
        [
            keras.Input([6]),
            layers.LatentHead(3, 2),
            layers.GumbelSoftmax(temperature=0.75, name="first"),
            keras.layers.Flatten(),
            layers.LatentHead(3, 2),
            layers.StraightThrough(temperature=2.0, kl_weight=0.5, name="second"),
            keras.layers.Flatten(),
        ]
    )
    model.compile("sgd", "mse", run_eagerly=True)
    history = _fit(model)
    assert history["first/temperature"] == [0.75, 0.75]
    assert history["second/temperature"] == [2.0, 2.0]
    assert history["kl_weight"] == [0.5, 0.5] and "temperature" not in history


def test_refuses_a_model_without_scheduled_values():
    model = keras.Sequential([keras.Input([6]), keras.layers.Dense(6)], name="plain")
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ValueError, match="holds no scheduled value to log.*model='plain'"):
        _fit(model)
