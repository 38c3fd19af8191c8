"""Every pathwise estimator in a stochastic layer; score estimators are refused there."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import estimator_cases as conformance
from tf_discrete import estimators, layers
from tf_discrete._internal import arguments

EVENTS = {"categorical": (2, 4), "bernoulli": (4,)}
PATHWISE = [
    case for case in conformance.CASES if estimators.get_class(case[0]).family == "pathwise"
]
SCORE = estimators.names(family="score")


@pytest.mark.one_in(4)
@pytest.mark.parametrize("lead", [(3,), (3, 5), (3, 5, 2)])
@pytest.mark.parametrize("name,latents", PATHWISE, ids=["-".join(case) for case in PATHWISE])
def test_any_leading_axes_with_a_gradient(name, latents, lead):
    """The gradient of a variable may rightly be 0 for some samples, but not for all of 100."""
    layer, event = layers.StochasticLayer(name, latents=latents), EVENTS[latents]
    logits = tf.Variable(0.3 * tf.random.stateless_normal([*lead, *event], [0, 1]))
    with tf.GradientTape() as tape:
        value = layer(tf.broadcast_to(logits, [100, *lead, *event]), training=True)
        weights = tf.random.stateless_normal(value.shape[1:], [2, 3])
        total = tf.reduce_sum(value * weights)
    assert value.shape == [100, *lead, *event]
    gradient = tape.gradient(total, logits).numpy()
    assert np.isfinite(gradient).all() and np.all(np.any(gradient, axis=-1))
    assert set(np.unique(layer(10.0 * logits))) == {0.0, 1.0}


@pytest.mark.parametrize("name", estimators.names(family="pathwise", latents="categorical"))
def test_masked_categories_are_never_drawn(name):
    logits = tf.Variable([[[0.0, -float("inf"), 1.0]]] * 200)
    layer = layers.StochasticLayer(name, kl_weight=1.0)
    with tf.GradientTape() as tape:
        value = layer(logits, training=True)
        total = tf.reduce_sum(value * [1.0, 2.0, 3.0]) + tf.add_n(layer.losses)
    assert not np.any(value[..., 1])
    assert np.isfinite(tape.gradient(total, logits)).all()


@pytest.mark.parametrize("name", estimators.names(family="pathwise"))
def test_takes_every_pathwise_estimator_in_every_form(name):
    latents = estimators.get_class(name).spec.supports[0]
    cls = estimators.get_class(name)
    for identifier in (name, cls, cls(latents=latents), estimators.serialize(cls(latents=latents))):
        assert isinstance(arguments.pathwise_estimator(identifier, latents), cls)


@pytest.mark.parametrize("name", SCORE)
def test_refuses_score_estimators_and_says_what_to_use(name):
    cls = estimators.get_class(name)
    made = cls(latents=cls.spec.supports[0])
    message = rf"CategoricalVAE\(estimator=...\).*gumbel_softmax.*estimator={cls.__name__}"
    for identifier in (name, cls, made, estimators.serialize(made)):
        with pytest.raises(ValueError, match=message):
            layers.StochasticLayer(identifier, latents=made.latents)


def test_there_are_score_estimators_to_refuse():
    assert SCORE
