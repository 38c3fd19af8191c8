"""The factored distributions against TensorFlow Probability, and at masks and extremes."""

import contextlib
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.distributions.generic_logits import LOGITS, PRIOR
from tf_discrete import seeds
from tf_discrete._internal import fusion
from tf_discrete.distributions import (
    Bernoulli,
    Categorical,
    get_relaxable,
    kinds,
)

tfd = tfp.distributions

LATENTS = ("categorical", "bernoulli")


def reference(latents, logits):
    """The same distribution in TFP."""
    distribution = tfd.OneHotCategorical if latents == "categorical" else tfd.Bernoulli
    return tfd.Independent(distribution(logits=logits, dtype=logits.dtype), 1)


@pytest.mark.parametrize("dtype,tolerance", [(tf.float64, 1e-12), (tf.float32, 2e-6)])
@pytest.mark.parametrize("latents", LATENTS)
def test_log_prob_entropy_and_kl_are_those_of_tfp(latents, dtype, tolerance):
    logits, prior = tf.constant(LOGITS[latents], dtype), tf.constant(PRIOR[latents], dtype)
    q, p = kinds.get(latents)(logits), kinds.get(latents)(prior)
    tfp_q, tfp_p = reference(latents, logits), reference(latents, prior)
    z = tfp_q.sample(7, seed=seeds.base(0))
    values = {
        "log_prob": (q.log_prob(z), tfp_q.log_prob(z)),
        "entropy": (q.entropy(), tfp_q.entropy()),
        "kl": (q.kl_divergence(p), tfd.kl_divergence(tfp_q, tfp_p)),
        "mode": (q.mode(), tfp_q.mode()),
    }
    for name, (ours, theirs) in values.items():
        assert ours.dtype == dtype and ours.shape == theirs.shape, name
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=name)
    parts = tf.reduce_sum(q.kl_per_variable(p), -1), tf.reduce_sum(q.entropy_per_variable(), -1)
    np.testing.assert_allclose(parts[0], values["kl"][1], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(parts[1], values["entropy"][1], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("latents", LATENTS)
def test_gradients_are_those_of_finite_differences(latents):
    """And `score` is the gradient of `log_prob`."""
    logits = tf.constant(LOGITS[latents])
    p = kinds.get(latents)(tf.constant(PRIOR[latents]))
    z = kinds.get(latents)(logits).sample(seeds.base(1), 1)[0]
    functions = {
        "log_prob": lambda x: kinds.get(latents)(x).log_prob(z),
        "entropy": lambda x: kinds.get(latents)(x).entropy(),
        "kl": lambda x: kinds.get(latents)(x).kl_divergence(p),
        "kl of the prior": lambda x: p.kl_divergence(kinds.get(latents)(x)),
    }
    for name, function in functions.items():
        theory, numeric = tf.test.compute_gradient(function, [logits], delta=1e-6)
        np.testing.assert_allclose(theory[0], numeric[0], atol=1e-8, err_msg=name)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        log_prob = kinds.get(latents)(logits).log_prob(z)
    score = kinds.get(latents)(logits).score(z)
    np.testing.assert_allclose(score, tape.gradient(log_prob, logits), atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_enumeration_lists_every_configuration_once_and_probabilities_sum_to_one(latents):
    distribution = kinds.get(latents)(tf.constant(LOGITS[latents]))
    configurations = distribution.enumerate()
    count = 5**3 if latents == "categorical" else 2**3
    assert configurations.shape[0] == count and configurations.dtype == tf.float64
    assert len(np.unique(configurations.numpy().reshape(count, -1), axis=0)) == count
    probability = tf.exp(distribution.log_prob(configurations[:, tf.newaxis]))
    np.testing.assert_allclose(tf.reduce_sum(probability, 0), np.ones(4), atol=1e-12)
    mean = tf.einsum("cb,c...->b...", probability, configurations)
    np.testing.assert_allclose(mean, distribution.probs, atol=1e-12)
    entropy = -tf.reduce_sum(probability * tf.math.log(probability), 0)
    np.testing.assert_allclose(entropy, distribution.entropy(), atol=1e-12)
    np.testing.assert_array_equal(
        distribution.one_hot(distribution.code(configurations)), configurations
    )


@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
@pytest.mark.parametrize("latents", LATENTS)
def test_the_log_prob_of_codes_is_that_of_their_values(latents, fused):
    distribution = kinds.get(latents)(tf.constant(LOGITS[latents]))
    with fusion.enabled() if fused else contextlib.nullcontext():
        codes = distribution.sample_codes(seeds.base(0), 30)
        assert codes.shape == [30, 4, 3] and codes.dtype == tf.int32
        found = distribution.code_log_prob(codes)
    values = distribution.one_hot(codes)
    np.testing.assert_allclose(found, distribution.log_prob(values), rtol=1e-12)
    np.testing.assert_array_equal(values, distribution.sample(seeds.base(0), 30))
    prior = kinds.get(latents)(tf.constant(PRIOR[latents]))  # Without an axis of the batch.
    np.testing.assert_allclose(prior.code_log_prob(codes), prior.log_prob(values), rtol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_samples_are_in_the_support_and_have_the_mean(latents):
    distribution = kinds.get(latents)(tf.constant(LOGITS[latents], tf.float32))
    z = distribution.sample(seeds.base(0), 50_000)
    assert z.shape == [50_000, *distribution.logits.shape] and set(np.unique(z)) == {0.0, 1.0}
    if latents == "categorical":
        np.testing.assert_array_equal(tf.reduce_sum(z, -1), np.ones(z.shape[:-1]))
    p = distribution.probs.numpy()
    error = np.sqrt(p * (1 - p) / 50_000)
    assert np.max(np.abs(z.numpy().mean(axis=0) - p) / error) < 5.5
    np.testing.assert_array_equal(z, distribution.sample(seeds.base(0), 50_000))


def masked(rows):
    """Categorical logits in which the named category of every variable is ruled out."""
    logits = LOGITS["categorical"].copy()
    logits[..., rows] = -np.inf
    return tf.constant(logits)


def test_masked_categories_are_as_if_they_were_not_there():
    q, p = Categorical(masked([1, 4])), Categorical(masked([1]))
    kept = [0, 2, 3]
    small_q = Categorical(tf.gather(q.logits, kept, axis=-1))
    np.testing.assert_allclose(q.entropy(), small_q.entropy(), atol=1e-12)
    np.testing.assert_allclose(
        q.kl_divergence(Categorical(masked([1, 4]) * 0.5)),
        small_q.kl_divergence(Categorical(small_q.logits * 0.5)),
        atol=1e-12,
    )
    assert np.isfinite(q.kl_divergence(p)).all()
    z = q.sample(seeds.base(0), 2_000)
    assert (z.numpy()[..., [1, 4]] == 0).all()
    assert np.isfinite(q.log_prob(z)).all()
    assert np.isneginf(q.log_prob(q.one_hot(tf.ones([4, 3], tf.int32)))).all()
    assert (q.mode().numpy()[..., [1, 4]] == 0).all()


def test_kl_is_infinite_only_where_the_posterior_allows_what_the_prior_masks():
    q_logits = LOGITS["categorical"].copy()
    q_logits[0, 0, 2] = -np.inf
    prior = np.zeros([3, 5])
    prior[0, 2] = -np.inf
    kl = Categorical(tf.constant(q_logits)).kl_per_variable(Categorical(tf.constant(prior))).numpy()
    infinite = np.zeros([4, 3], bool)
    infinite[1:, 0] = True
    np.testing.assert_array_equal(np.isinf(kl), infinite)
    assert (kl[infinite] > 0).all() and np.isfinite(kl[~infinite]).all()


@pytest.mark.parametrize("scale", [1.0, 50.0, 1e4])
def test_gradients_are_finite_at_masks_and_extremes(scale):
    logits = tf.where(tf.math.is_finite(masked([1, 4])), scale * LOGITS["categorical"], -np.inf)
    z = Categorical(logits).mode()

    def total(x):
        distribution = Categorical(x)
        kl = distribution.kl_divergence(Categorical(masked([1])))
        back = Categorical(masked([1, 4])).kl_divergence(distribution)
        return distribution.entropy() + kl + back + distribution.log_prob(z)

    for dtype in (tf.float32, tf.float64):
        x = tf.cast(logits, dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(tf.cast(total(tf.cast(x, tf.float64)), dtype))
        assert np.isfinite(value)
        gradient = tape.gradient(value, x).numpy()
        assert np.isfinite(gradient).all() and (gradient[..., [1, 4]] == 0).all()


@pytest.mark.parametrize("value", [0.0, 50.0, -50.0, 1e4, -1e4, np.inf, -np.inf])
def test_bernoulli_is_finite_at_extreme_logits(value):
    logits = tf.constant([[value, 0.5]])
    prior = Bernoulli(tf.constant([0.0, -1.0]))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        distribution = Bernoulli(logits)
        total = (
            distribution.entropy()
            + distribution.kl_divergence(prior)
            + distribution.log_prob(distribution.mode())
        )
    assert np.isfinite(total).all()
    assert np.isfinite(tape.gradient(total, logits)).all()
    if abs(value) >= 50:
        assert float(distribution.entropy_per_variable()[0, 0]) == pytest.approx(0.0, abs=1e-6)
        assert float(distribution.kl_per_variable(prior)[0, 0]) == pytest.approx(
            math.log(2.0), abs=1e-6
        )


def test_bernoulli_kl_is_infinite_only_where_the_prior_rules_a_value_out():
    prior = Bernoulli(tf.constant([np.inf, np.inf, -np.inf, -np.inf]))
    posterior = Bernoulli(tf.constant([0.3, np.inf, 0.3, -np.inf]))
    kl = posterior.kl_per_variable(prior).numpy()
    np.testing.assert_array_equal(kl, [np.inf, 0.0, np.inf, 0.0])


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("latents", LATENTS)
def test_low_precision_is_lifted(latents, dtype):
    logits = tf.cast(LOGITS[latents], dtype)
    distribution, wide = (
        kinds.get(latents)(logits),
        kinds.get(latents)(tf.cast(logits, tf.float32)),
    )
    z = distribution.sample(seeds.base(0), 3)
    assert (
        z.dtype
        == distribution.entropy().dtype
        == distribution.kl_divergence(wide).dtype
        == tf.float32
    )
    np.testing.assert_array_equal(distribution.entropy(), wide.entropy())
    np.testing.assert_array_equal(z, wide.sample(seeds.base(0), 3))
    np.testing.assert_array_equal(distribution.log_prob(tf.cast(z, dtype)), wide.log_prob(z))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16], ids=["float16", "bfloat16"])
def test_codes_of_many_equal_classes_are_flat(dtype):
    """8192 equal classes in low precision: quarters and the last bits of the code are uniform.

    Noise in float16 puts 86 % of the codes in the first quarter. With 8192 draws a shift of 3 % of
    all codes would be seen.
    """
    distribution = Categorical(tf.zeros([1, 8192], dtype))
    draws = np.concatenate(
        [
            distribution.code(distribution.sample(seeds.fold(seeds.base(0), i), 4096))
            .numpy()
            .ravel()
            for i in range(2)
        ]
    )
    for cells in (draws // 2048, draws % 4):
        frequency = np.bincount(cells, minlength=4) / len(draws)
        error = math.sqrt(0.25 * 0.75 / len(draws))
        assert np.abs(frequency - 0.25).max() < 5.5 * error < 0.03
    # As many different codes as uniform draws show, n (1 - exp(-draws / n)), standard deviation 28.
    assert len(np.unique(draws)) == pytest.approx(8192 * (1 - math.exp(-1)), abs=150)


def test_dtype_and_batch_follow_in_a_graph_of_unknown_batch():
    @tf.function(input_signature=[tf.TensorSpec([None, 3, 5], tf.float32)])
    def run(logits):
        distribution = Categorical(logits)
        z = distribution.sample(seeds.base(0), 2)
        return (
            z,
            distribution.kl_divergence(Categorical(tf.zeros([3, 5]))),
            distribution.log_prob(z),
        )

    for batch in (0, 1, 4):
        z, kl, log_prob = run(tf.constant(LOGITS["categorical"][:batch], tf.float32))
        assert z.shape == [2, batch, 3, 5] and kl.shape == [batch]
        assert log_prob.shape == [2, batch]


def test_errors():
    with pytest.raises(ValueError, match=r"num_categories\].*logits.shape=\(5,\)"):
        Categorical(tf.zeros([5]))
    with pytest.raises(ValueError, match=r"at least 2 categories.*logits.shape=\(3, 1\)"):
        Categorical(tf.zeros([3, 1]))
    with pytest.raises(ValueError, match=r"\[..., num_variables\].*logits.shape=\(\)"):
        Bernoulli(tf.zeros([]))
    with pytest.raises(ValueError, match="categorical.*Received: latents='gaussian'"):
        kinds.get("gaussian")
    with pytest.raises(
        ValueError, match="num_variables=20, num_categories=10, which makes 1000000"
    ):
        Categorical(tf.zeros([20, 10])).enumerate()
    with pytest.raises(ValueError, match="num_variables=17, num_categories=2, which makes 131072"):
        Bernoulli(tf.zeros([17])).enumerate()

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)])
    def unknown(logits):
        return Bernoulli(logits).enumerate()

    with pytest.raises(ValueError, match=r"when the graph is built.*logits.shape=\(None, None\)"):
        unknown(tf.zeros([2, 2]))


@pytest.mark.parametrize("latents", LATENTS)
def test_the_multilinear_log_prob_is_linear_between_the_corners(latents):
    distribution = kinds.get(latents)(tf.constant(LOGITS[latents][0]))
    corners = distribution.enumerate()
    found = distribution.multilinear_log_prob(corners)
    np.testing.assert_allclose(found, distribution.log_prob(corners), atol=1e-12)
    mixed = distribution.multilinear_log_prob(0.3 * corners[0] + 0.7 * corners[1])
    np.testing.assert_allclose(mixed, 0.3 * found[0] + 0.7 * found[1], atol=1e-12)


@pytest.mark.parametrize("latents", LATENTS)
def test_the_multilinear_log_prob_of_masked_categories(latents):
    infinity = float("inf")
    masked_logits = [[0.5, -infinity, 1.0]] if latents == "categorical" else [infinity, 0.0]
    logits = tf.constant(masked_logits)
    distribution = kinds.get(latents)(logits)
    allowed = distribution.sample(seeds.base(0), 4)
    with tf.GradientTape() as tape:
        tape.watch([logits, allowed])
        found = kinds.get(latents)(logits).multilinear_log_prob(allowed)
    np.testing.assert_allclose(found, distribution.log_prob(allowed), rtol=1e-6)
    assert all(np.isfinite(g).all() for g in tape.gradient(found, [logits, allowed]))
    other = [[0.0, 1.0, 0.0]] if latents == "categorical" else [0.0, 1.0]
    assert float(distribution.multilinear_log_prob(tf.constant(other))) == -infinity


@pytest.mark.parametrize("latents", LATENTS)
def test_conditional_noise_makes_the_value_that_it_is_given(latents):
    distribution = get_relaxable(latents)(tf.constant(LOGITS[latents]))
    z = distribution.sample(seeds.base(0), 50)
    np.testing.assert_array_equal(
        distribution.harden(distribution.conditional_noise(seeds.base(1), z)), z
    )


@pytest.mark.parametrize("latents", LATENTS)
def test_a_value_that_was_given_a_lead_has_it(latents):
    distribution = get_relaxable(latents)(tf.constant(LOGITS[latents]))
    z = distribution.sample(seeds.base(0), 1)[0]
    moved = distribution.logits + distribution.with_lead(z, 1.5)
    if latents == "bernoulli":
        assert np.all((2 * z - 1) * moved >= 1.5 - 1e-12)
    else:
        lead = tf.reduce_sum(z * moved, -1) - tf.reduce_max(tf.where(z > 0, -np.inf, moved), -1)
        assert np.all(lead >= 1.5 - 1e-12)
