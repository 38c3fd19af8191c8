"""Multi-sample bounds: discrete ones against enumeration of all samples, relaxed ones by statistics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import distributions, estimators, objectives, seeds

SAMPLES = 2


class Problem:
    """One example with a decoder, q and a prior, all generic and in float64."""

    def __init__(self, latents):
        random = np.random.RandomState(1)
        self.latents, self.cls = latents, distributions.get(latents)
        shape = [1, 3] if latents == "categorical" else [2]
        self.logits = tf.constant(random.normal(size=[1, *shape]))
        self.prior_logits = tf.constant(random.normal(size=shape))
        self.weights = tf.constant(random.normal(size=shape))
        self.sources = [self.logits, self.prior_logits, self.weights]

    def log_likelihood(self, z):
        axes = [-2, -1] if self.latents == "categorical" else [-1]
        return -((1.3 - tf.reduce_sum(tf.sin(2.0 * z * self.weights), axes)) ** 2)

    def truth(self):
        """E log mean w over all tuples of draws, with its gradients, by automatic differentiation."""
        with tf.GradientTape() as tape:
            tape.watch(self.sources)
            q, p = self.cls(self.logits[0]), self.cls(self.prior_logits)
            z = q.enumerate()
            log_w = self.log_likelihood(z) + p.log_prob(z) - q.log_prob(z)
            tuples = np.array(list(itertools.product(range(len(z)), repeat=SAMPLES))).T
            weight = tf.exp(tf.reduce_sum(tf.gather(q.log_prob(z), tuples), axis=0))
            value = tf.reduce_sum(weight * estimators.log_mean_exp(tf.gather(log_w, tuples)))
        return value, *tape.gradient(value, self.sources)

    def expected(self, estimator):
        """The mean of the bound and of its gradients over all noise of an estimator."""
        distribution = self.cls(self.logits[0])
        choices = distribution.enumerate()
        tuples = np.array(list(itertools.product(range(len(choices)), repeat=SAMPLES))).T
        noise = tf.gather(choices, tuples)
        weight = tf.exp(tf.reduce_sum(distribution.log_prob(noise), axis=0))
        with tf.GradientTape() as tape:
            tape.watch(self.sources)
            logits = tf.repeat(self.logits, noise.shape[1], axis=0)
            layer = objectives.one_layer(estimator, logits, self.cls(self.prior_logits))
            terms = objectives.importance_weighted(layer, self.log_likelihood, noise=noise)
            value = -tf.reduce_sum(tf.stop_gradient(weight) * terms.loss)
        return terms, weight, value, *tape.gradient(value, self.sources)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
@pytest.mark.parametrize("name", ["vimco", "score_function"])
def test_score_estimators_give_the_exact_bound_and_its_gradient(name, latents):
    problem = Problem(latents)
    terms, weight, *found = problem.expected(estimators.get(name, latents=latents))
    for ours, truth in zip(found, problem.truth(), strict=True):
        np.testing.assert_allclose(ours, truth, atol=1e-10)
        assert np.abs(truth).max() > 1e-2
    # The parts are those of the ELBO of one sample.
    exact = estimators.get("enumeration", latents=latents)
    layer = objectives.one_layer(exact, problem.logits, problem.cls(problem.prior_logits))
    elbo = objectives.elbo(layer, problem.log_likelihood)
    for part in ("elbo_nats", "reconstruction_nats", "kl_nats"):
        mean = tf.reduce_sum(weight * terms.terms[part])
        np.testing.assert_allclose(mean, elbo.terms[part][0], atol=1e-10)
    assert float(found[0]) > float(elbo.terms["elbo_nats"][0]) + 0.01


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_variance_normalization_divides_the_whole_gradient_of_the_encoder(latents):
    """Also the part that log q inside the bound has; decoder and prior learn at full size."""
    estimator = estimators.get(
        "score_function",
        latents=latents,
        baseline="leave_one_out",
        variance_normalization=True,
        decay=0.0,
    )
    estimator.spread.update(tf.constant([[-5.0, 9.0]]))
    assert float(estimator.gradient_scale) == 7.0
    problem = Problem(latents)
    _, _, value, encoder, *others = problem.expected(estimator)
    true_value, true_encoder, *true_others = problem.truth()
    np.testing.assert_allclose(value, true_value, atol=1e-10)
    np.testing.assert_allclose(7.0 * encoder, true_encoder, atol=1e-9)
    for ours, truth in zip(others, true_others, strict=True):
        np.testing.assert_allclose(ours, truth, atol=1e-10)


@pytest.mark.parametrize("name", ["straight_through", "reinmax"])
def test_hard_pathwise_estimators_give_the_exact_bound_and_a_gradient(name):
    problem = Problem("categorical")
    _, _, *found = problem.expected(estimators.get(name))
    truth = problem.truth()
    np.testing.assert_allclose(found[0], truth[0], atol=1e-10)
    np.testing.assert_allclose(found[2:], truth[2:], atol=1e-10)  # Of the prior and the decoder.
    assert np.isfinite(found[1]).all() and np.abs(found[1]).max() > 1e-2


def test_the_weight_of_the_ratio():
    problem = Problem("categorical")
    estimator = estimators.get("vimco")
    noise = estimator.draw_noise(seeds.base(0), problem.logits, 5)
    prior = problem.cls(problem.prior_logits)
    layer = objectives.one_layer(estimator, problem.logits, prior)
    found = objectives.importance_weighted(
        layer, problem.log_likelihood, noise=noise, kl_weight=0.25
    )
    ratio = prior.log_prob(noise) - problem.cls(problem.logits).log_prob(noise)
    log_w = problem.log_likelihood(noise) + 0.25 * ratio
    np.testing.assert_allclose(found.loss, -estimators.log_mean_exp(log_w), rtol=1e-6)


# Relaxed samples.


def relaxed_gradients(latents, samples, doubly, draws=1):
    """Per-draw loss and gradients for q's and the prior's logits and the decoder, of one example."""
    problem = Problem(latents)
    estimator = estimators.get("gumbel_softmax", latents=latents, temperature=0.7)
    repeated = [tf.repeat(source[tf.newaxis], draws, axis=0) for source in problem.sources]
    noise = estimator.draw_noise(seeds.base(2), repeated[0][:, 0], samples)

    def log_likelihood(z):
        axes = [-2, -1] if latents == "categorical" else [-1]
        return -((1.3 - tf.reduce_sum(tf.sin(2.0 * z * repeated[2]), axes)) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(repeated)
        terms = objectives.relaxed_importance_weighted(
            objectives.one_layer(estimator, repeated[0][:, 0], problem.cls(repeated[1])),
            log_likelihood,
            noise=noise,
            prior_temperature=tf.constant(0.5, tf.float64),
            doubly_reparameterized=doubly,
        )
    return terms, [g.numpy() for g in tape.gradient(terms.loss, repeated)]


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_the_second_reparameterisation_keeps_value_and_mean_gradient(latents):
    draws = 20_000
    plain, once = relaxed_gradients(latents, 4, False, draws)
    double, twice = relaxed_gradients(latents, 4, True, draws)
    np.testing.assert_allclose(plain.loss, double.loss, rtol=1e-12)
    for one, two in zip(once[1:], twice[1:], strict=True):  # Prior and decoder: the same.
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)
    difference = once[0] - twice[0]
    error = difference.std(axis=0, ddof=1) / np.sqrt(draws)
    assert error.max() > 0
    assert (np.abs(difference.mean(axis=0)) < 5 * error).all()
    assert 10 * error.max() < np.abs(once[0].mean(axis=0)).max()


def test_the_second_reparameterisation_wins_as_samples_grow():
    """Signal to noise for q falls with m without it and grows with it, by 1 / sqrt(m) and sqrt(m)."""

    def ratio(samples, doubly):
        gradient = relaxed_gradients("bernoulli", samples, doubly, 4000)[1][0]
        return np.linalg.norm(gradient.mean(axis=0)) / np.sqrt(gradient.var(axis=0).sum())

    assert ratio(64, True) > 1.5 * ratio(4, True)
    assert ratio(64, True) > 3 * ratio(64, False)


def test_one_sample_is_the_relaxed_elbo_and_many_are_tighter():
    problem = Problem("categorical")
    estimator = estimators.get("gumbel_softmax", temperature=0.7)
    noise = estimator.draw_noise(seeds.base(0), problem.logits, 1)
    layer = objectives.one_layer(estimator, problem.logits, problem.cls(problem.prior_logits))
    options = {"noise": noise, "prior_temperature": 0.5, "kl_weight": 0.6}
    one = objectives.relaxed_importance_weighted(layer, problem.log_likelihood, **options)
    elbo = objectives.relaxed_elbo(layer, problem.log_likelihood, **options)
    np.testing.assert_allclose(one.loss, elbo.loss)
    for name, value in elbo.terms.items():
        np.testing.assert_allclose(one.terms[name], value)
    bounds = [
        np.mean(
            relaxed_gradients("categorical", m, False, 4000)[0].terms["multi_sample_bound_nats"]
        )
        for m in (1, 5, 50)
    ]
    assert bounds[0] < bounds[1] - 0.05 < bounds[2] - 0.05


def test_what_is_refused():
    logits = problems.generic_logits("categorical")
    estimator = estimators.get("rebar")
    noise = estimator.draw_noise(seeds.base(0), logits, 2)
    with pytest.raises(
        ValueError, match="REBAR takes the reductions mean.*such as vimco.*Received"
    ):
        layer = objectives.one_layer(estimator, logits, distributions.Categorical(logits))
        objectives.importance_weighted(layer, lambda z: z[..., 0, 0], noise=noise)
