"""Structured prediction against enumeration of all layers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.models.structured_models import LATENTS, data, log_p, make, paths
from tf_discrete import estimators, evaluation, seeds


@pytest.mark.one_in(2)
@pytest.mark.parametrize("latents", LATENTS)
@pytest.mark.parametrize("code_values", ["zero_one", "plus_minus"])
def test_log_likelihood_tends_to_the_exact_one(latents, code_values):
    model, x = make(latents, code_values=code_values, hidden_units=(3,)), data()
    log_prior, log_lik, _ = (value.numpy().astype(np.float64) for value in paths(model, x))
    exact = log_p(model, x).numpy()
    relative = np.exp(log_lik - exact)
    np.testing.assert_allclose((np.exp(log_prior) * relative).sum(0), 1.0, rtol=1e-4)
    deviation = np.sqrt(((np.exp(log_prior) * relative**2).sum(0) - 1) / 4000)
    assert deviation.max() < 0.1
    found = model.log_likelihood(x, 4000, seed=1, chunk=4000)
    assert (np.abs(found - exact) < 5 * deviation + deviation**2).all()
    bound = evaluation.evaluate_bound(model, [{"image": x}], 4000)
    assert abs(bound.mean_nats - exact.mean()) < 5 * deviation.mean()


@pytest.mark.parametrize("latents", LATENTS)
def test_enumeration_trains_the_exact_mean_of_log_p(latents):
    model, x = make(latents, estimator="enumeration"), data()
    variables = [variable.value for variable in model.trainable_variables]
    assert len(variables) == 6  # Three affine maps.
    with tf.GradientTape(persistent=True) as tape:
        loss = model.objective(x, seeds.base(0), training=True).loss
        log_prior, log_lik, _ = paths(model, x)
        exact = -tf.reduce_sum(tf.exp(log_prior) * log_lik, axis=0)
    np.testing.assert_allclose(loss, exact, rtol=1e-5)
    for one, two in zip(
        tape.gradient(loss, variables), tape.gradient(exact, variables), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)
        assert np.abs(two).max() > 1e-3


@pytest.mark.one_in(2)
@pytest.mark.parametrize("estimator", ["score_function", "vimco"])
@pytest.mark.parametrize("objective", ["single_sample", "multi_sample"])
def test_score_estimators_train_the_bound_without_bias(estimator, objective):
    """The mean of many gradients against that of E[reduce(log p(y | z_1), log p(y | z_2))]."""
    model = make("bernoulli", estimator=estimator, objective=objective, num_variables=(1, 2))
    x, draws = data(count=1), 20_000
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        log_prior, log_lik, _ = paths(model, x)
        pairs = np.array(list(itertools.product(range(len(log_prior)), repeat=2))).T
        reduce = estimators.mean if objective == "single_sample" else estimators.log_mean_exp
        weight = tf.exp(tf.reduce_sum(tf.gather(log_prior, pairs), axis=0))
        exact = tf.reduce_sum(weight * reduce(tf.gather(log_lik, pairs)))
    expected = tape.gradient(exact, variables)

    many = tf.repeat(x, draws, axis=0)
    found = [[] for _ in variables]
    for repeat in range(8):  # Each a mean over the batch, so their spread is that of a mean.
        with tf.GradientTape() as tape:
            loss = model.objective(many, seeds.base(repeat), training=True).loss
            mean = -tf.reduce_mean(loss)
        for one, gradient in zip(found, tape.gradient(mean, variables), strict=True):
            one.append(gradient.numpy())
    assert model.num_samples == 2
    for one, truth in zip(found, expected, strict=True):
        error = np.std(one, axis=0, ddof=1) / np.sqrt(8)
        scale = np.abs(truth).max()
        assert error.max() < 0.1 * max(scale, 0.05)
        # Student's t with 7 degrees of freedom: 10 is passed once in 50 000 numbers; and rounding.
        assert (
            np.abs(np.mean(one, axis=0) - truth) < 10 * error + 1e-3 * np.abs(truth) + 1e-6
        ).all()


def test_multi_sample_training_is_tighter_than_single():
    x = tf.repeat(data(count=2), 4000, axis=0)
    arguments = {"estimator": "straight_through", "num_samples": 5}
    one, many = (make(objective=o, **arguments) for o in ("single_sample", "multi_sample"))
    exact = log_p(one, x[::4000]).numpy()
    values = [-m.objective(x, seeds.base(0), False).loss for m in (one, many)]
    means = [tf.reduce_mean(tf.reshape(value, [2, -1]), axis=1).numpy() for value in values]
    assert (means[0] < means[1] - 0.05).all() and (means[1] < exact).all()
    terms = many.objective(x, seeds.base(0), False).terms
    np.testing.assert_allclose(terms["multi_sample_bound_nats"], values[1])
    np.testing.assert_allclose(terms["elbo_nats"], values[0], rtol=1e-5)
    # The discrete ELBO of one sample is the mean of log p(y | z).
    hard = one.hard_terms(x, seeds.base(1))["hard_elbo_nats"]
    np.testing.assert_allclose(
        tf.reduce_mean(tf.reshape(hard, [2, -1]), axis=1), means[0], atol=0.15
    )


@pytest.mark.parametrize("num_layers", [1, 3])
def test_any_number_of_layers(num_layers):
    model = make("bernoulli", num_variables=2, num_layers=num_layers)
    x = data()
    exact = log_p(model, x)
    assert len(model.chain.maps) == num_layers and len(model.chain.estimators) == num_layers
    np.testing.assert_allclose(model.log_likelihood(x, 20_000, chunk=20_000), exact, atol=0.1)
    assert model.encode(x).shape == [4, 2 * num_layers]


def test_the_mean_completion_is_the_mean_over_all_paths():
    model, x = make(), data()
    log_prior, _, z = paths(model, x)
    means = model.likelihood.mean(model.parameters(z))
    exact = tf.reduce_sum(tf.exp(log_prior)[..., tf.newaxis] * means, axis=0)
    found = model.complete(x, 20_000, seed=4)
    np.testing.assert_array_equal(found[:, :3], x[:, :3])
    np.testing.assert_allclose(found[:, 3:], exact, atol=0.02)
    drawn = model.sample(x, 2000, seed=4)
    assert drawn.shape == [2000, 4, 6]
    np.testing.assert_allclose(tf.reduce_mean(drawn, axis=0)[:, 3:], exact, atol=0.06)
    np.testing.assert_array_equal(model.sample(x, 3, seed=4), model.sample(x, 3, seed=4))
