"""Statistics of gradients: against enumeration by hand, and between estimators."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, evaluation, models

X = tf.cast(tf.random.stateless_uniform([6, 4, 4, 1], [0, 2]) > 0.5, tf.float32)


def model(estimator="gumbel_softmax", latents="categorical", **changes):
    settings = {"num_variables": 2, "hidden_units": (), "estimator": estimator, **changes}
    settings["num_categories"] = 3 if latents == "categorical" else 2
    made = models.CategoricalVAE((4, 4, 1), latents=latents, **settings)
    for number, weights in enumerate(made.encoder.weights + made.decoder.weights):
        weights.assign(tf.random.stateless_normal(weights.shape, [number, 5]))
    return made


def gradient_by_hand(made):
    """Of the mean negative ELBO for all weights, summed over the configurations one by one."""
    size = 3 if made.latents == "categorical" else 2
    variables = [*made.encoder.trainable_variables, *made.decoder.trainable_variables]
    with tf.GradientTape() as tape:
        distribution = made.estimator.distribution(made.logits(X))
        expected = 0.0
        for code in itertools.product(range(size), repeat=2):
            z = distribution.one_hot(tf.constant([code] * len(X)))
            log_likelihood = made.conditional_log_likelihood(X, z[tf.newaxis])[0]
            expected += tf.exp(distribution.log_prob(z)) * log_likelihood
        loss = tf.reduce_mean(distribution.kl_divergence(made.prior_distribution()) - expected)
    gradients = tape.gradient(loss, [v.value for v in variables])
    return np.concatenate([g.numpy().ravel() for g in gradients])


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_the_exact_gradient(latents):
    made = model(latents=latents)
    reference = evaluation.exact_reference(made, X)
    assert reference.exact
    assert not reference.variance.any()
    np.testing.assert_allclose(reference.gradient, gradient_by_hand(made), rtol=1e-4, atol=1e-5)


def test_the_exact_gradient_is_that_of_the_law_that_is_drawn_from():
    made = model("semantic_hashing", "bernoulli")
    plain = evaluation.exact_reference(model(latents="bernoulli"), X).gradient
    reference = evaluation.exact_reference(made, X).gradient
    np.testing.assert_allclose(reference, gradient_by_hand(made), rtol=1e-4, atol=1e-5)
    assert np.abs(reference - plain).max() > 0.01


def test_too_many_configurations_have_no_exact_gradient():
    made = models.CategoricalVAE((4, 4, 1), num_variables=20, num_categories=10, hidden_units=())
    assert evaluation.exact_reference(made, X) is None


def test_moments_and_groups():
    made = model("score_function", prior="learned")
    probe = evaluation.GradientProbe(made)
    drawn = np.array(list(probe.sample(X, 20)), np.float64)
    assert drawn.shape == (20, 16 * 6 + 6 + 6 * 16 + 16 + 6)
    mean, variance, count = probe.moments(X, 20)
    np.testing.assert_allclose(mean, drawn.mean(0), atol=1e-6)
    np.testing.assert_allclose(variance, drawn.var(0, ddof=1), rtol=1e-4, atol=1e-9)
    assert count == 20

    found = probe.measure(X, 20)
    assert list(found) == [
        "all",
        "encoder",
        "encoder/1",
        "decoder",
        "decoder/1",
        "prior",
        "prior/1",
    ]
    assert found["all"].variance == pytest.approx(variance.sum(), rel=1e-5)
    assert found["encoder"].variance == pytest.approx(variance[:102].sum(), rel=1e-5)
    assert found["encoder"] == found["encoder/1"]
    assert found["all"].variance == pytest.approx(
        sum(found[name].variance for name in ("encoder", "decoder", "prior"))
    )
    squares = (mean[:102] ** 2).sum() - variance[:102].sum() / 20
    assert found["encoder"].norm == pytest.approx(np.sqrt(squares), rel=1e-5)
    assert found["encoder"].cosine is None
    assert found["prior"].signal_to_noise is None  # The KL is exact.


def test_the_cosine_to_a_reference():
    probe = evaluation.GradientProbe(model("score_function"))
    reference = evaluation.exact_reference(probe.model, X)
    found = probe.measure(X, 10, seed=4, reference=reference)
    exact = reference.gradient
    cosines = [
        draw @ exact / np.linalg.norm(draw) / np.linalg.norm(exact)
        for draw in np.array(list(probe.sample(X, 10, seed=4)), np.float64)
    ]
    assert found["all"].cosine == pytest.approx(np.mean(cosines), rel=1e-5)


@pytest.mark.slow
def test_biased_and_unbiased_are_told_apart():
    found = {}
    for name in ("score_function", "gumbel_softmax", "enumeration"):
        probe = evaluation.GradientProbe(model(name, prior="learned"))
        reference = evaluation.exact_reference(probe.model, X)
        found[name] = probe.measure(X, 400, reference=reference)
    unbiased, biased = found["score_function"]["encoder"], found["gumbel_softmax"]["encoder"]
    assert unbiased.relative_bias < unbiased.bias_noise < 0.2
    assert unbiased.mean_cosine > 0.99
    assert biased.relative_bias > 5 * biased.bias_noise
    assert biased.mean_cosine < 0.95
    assert biased.variance < unbiased.variance
    assert found["enumeration"]["all"].relative_bias < 1e-4
    assert found["enumeration"]["all"].variance == 0
    assert found["enumeration"]["all"].cosine == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_the_pooled_reference_is_as_good_as_it_says():
    made = model("score_function")
    exact = evaluation.exact_reference(made, X)
    moments = [
        evaluation.GradientProbe(evaluation.with_estimator(made, estimators.get(name))).moments(
            X, 300, seed=seed
        )
        for seed, name in enumerate(("score_function", "vimco"))
    ]
    pooled = evaluation.pooled_reference(moments)
    assert not pooled.exact
    off = ((pooled.gradient - exact.gradient) ** 2).sum()
    assert 0.3 < off / pooled.variance.sum() < 3.0
    # Nothing is left of the noise of either side where both are unbiased.
    probe = evaluation.GradientProbe(made)
    found = probe.measure(X, 300, seed=9, reference=pooled)["all"]
    assert found.relative_bias < found.bias_noise


def test_looking_changes_nothing():
    probe = evaluation.GradientProbe(model("nvil"))
    before = [w.numpy() for w in probe.model.weights]
    first = probe.measure(X, 3)
    for weight, value in zip(probe.model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert probe.measure(X, 3) == first


def test_the_weights_may_change_between_looks():
    probe = evaluation.GradientProbe(model())
    first = probe.measure(X, 3)
    probe.model.encoder.weights[0].assign(tf.zeros([16, 6]))
    assert probe.measure(X, 3) != first


@pytest.mark.parametrize(
    "name,learns", [("gumbel_softmax", False), ("score_function", False), ("nvil", True)]
)
def test_what_learns(name, learns):
    assert evaluation.GradientProbe(model(name)).learns is learns


def test_adaptation_leaves_the_networks_alone():
    probe = evaluation.GradientProbe(model("nvil"))
    made = probe.model
    networks = [w.numpy() for ws in evaluation.network_weights(made).values() for w in ws]
    learned = [w.numpy() for w in made.estimator.trainable_variables]
    probe.adapt([{"image": X}] * 3 + [X] * 2)
    after = [w for ws in evaluation.network_weights(made).values() for w in ws]
    for weight, value in zip(after, networks, strict=True):
        np.testing.assert_array_equal(weight, value)
    moved = [
        np.abs(w - value).max()
        for w, value in zip(made.estimator.trainable_variables, learned, strict=True)
    ]
    assert max(moved) > 1e-4


@pytest.mark.slow
def test_a_learned_baseline_lowers_the_variance_as_it_adapts():
    estimator = estimators.get("score_function", baseline="learned")
    probe = evaluation.GradientProbe(evaluation.with_estimator(model(), estimator))
    before = probe.measure(X, 200)["encoder"].variance
    probe.adapt([X] * 400, learning_rate=2e-2)
    assert probe.measure(X, 200)["encoder"].variance < 0.3 * before


def test_as_many_samples_as_the_evaluations_allow():
    for name, samples in (("gumbel_softmax", 12), ("score_function", 12), ("enumeration", 1)):
        assert evaluation.most_samples(model(name, num_variables=3), 12) == samples
    assert evaluation.most_samples(model("score_function"), 1) == 2  # Its fewest.


def test_one_draw_has_no_variance():
    with pytest.raises(
        ValueError, match="num_gradients must be at least 2. Received: num_gradients=1"
    ):
        evaluation.GradientProbe(model()).measure(X, 1)
