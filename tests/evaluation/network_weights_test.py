"""The weights of the networks by layer, and one network under several estimators."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, evaluation, models, schedules, seeds


def model(**changes):
    settings = {"num_variables": 2, "num_categories": 3, "hidden_units": (5,), **changes}
    return models.CategoricalVAE((4, 4, 1), **settings)


@pytest.mark.parametrize("estimator", ["gumbel_softmax", "nvil", "score_function"])
def test_what_belongs_to_the_networks(estimator):
    weights = evaluation.network_weights(model(estimator=estimator, prior="learned"))
    shapes = {name: [tuple(w.shape) for w in values] for name, values in weights.items()}
    assert shapes == {
        "encoder/1": [(16, 5), (5,)],
        "encoder/2": [(5, 6), (6,)],
        "decoder/1": [(6, 5), (5,)],
        "decoder/2": [(5, 16), (16,)],
        "prior/1": [(2, 3)],
    }


def test_layers_within_layers_and_weights_that_are_not_trained():
    inner = keras.Sequential([keras.layers.Dense(5), keras.layers.BatchNormalization()])
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), inner])
    encoder.add(keras.layers.Dense(6))
    weights = evaluation.network_weights(model(encoder=encoder, decoder="mlp"))
    assert [len(weights[f"encoder/{number}"]) for number in (1, 2, 3)] == [2, 4, 2]
    assert "encoder/4" not in weights


def test_another_estimator_on_the_same_network():
    one = model(prior="learned", kl_weight=0.5, seed=3)
    one.prior.last.logits.assign(tf.random.stateless_normal([2, 3], [0, 1]))
    other = evaluation.with_estimator(one, estimators.get("vimco"), num_samples=4)
    assert type(other.estimator).__name__ == "VIMCO"
    assert other.num_samples == 4
    x = tf.cast(tf.random.stateless_uniform([7, 4, 4, 1], [0, 2]) > 0.5, tf.float32)
    for name, value in one.hard_terms(x, seeds.base(0)).items():
        np.testing.assert_array_equal(other.hard_terms(x, seeds.base(0))[name], value)
    other.encoder.weights[0].assign_add(tf.ones([16, 5]))
    assert not np.allclose(other.encoder.weights[0], one.encoder.weights[0])
    evaluation.copy_network(one, other)
    np.testing.assert_array_equal(other.encoder.weights[0], one.encoder.weights[0])


def test_scheduled_values_of_the_model_stand_where_they_stood():
    one = model(
        kl_weight=schedules.Linear(0.0, 1.0, 100), temperature=schedules.Linear(1.0, 0.5, 100)
    )
    for value in one.scheduled.values():
        value.update(50)
    other = evaluation.with_estimator(one, estimators.get("reinmax", temperature=2.0))
    assert float(other.scheduled["kl_weight"].value) == 0.5
    assert float(other.scheduled["temperature"].value) == 2.0


def test_different_networks_are_refused():
    with pytest.raises(ValueError, match=r"same networks.*Received: source=.*\(16, 5\).*target="):
        evaluation.copy_network(model(), model(hidden_units=(4,)))
