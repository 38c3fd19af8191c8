"""Every registered estimator at its limits: memory in the number of categories, and extreme distributions."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import estimator_cases as conformance
from tests.estimators import problems
from tf_discrete import distributions, estimators, objectives, seeds

# The power of K by which memory grows, for two variables, where mathematics allows no less.
NOT_LINEAR = {"arsm": 3.0, "enumeration": 3.0, "sum_and_sample": 2.0}
LINEAR = [
    *((name, {}) for name in estimators.names(latents="categorical") if name not in NOT_LINEAR),
    ("disarm", {"coupling": "stick_breaking"}),
    ("rebar", {"relaxation": "modified"}),
    ("relax", {"objective_control": False}),
    ("score_function", {"baseline": "learned", "variance_normalization": True}),
    ("sum_and_sample", {"mode": "per_variable"}),
]


def traced_sizes(estimator, categories):
    """How many numbers each floating tensor of one training step has: draw, value and all gradients."""

    def step(logits, seed):
        slope = tf.range(float(categories))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(logits)
            noise = estimator.draw_noise(seed, logits, estimator.min_samples)
            estimate = estimator.estimate(
                lambda z: tf.reduce_sum(z * slope, [-2, -1]) ** 2, logits, noise, training=True
            )
        own = [v.value for v in estimator.trainable_variables]
        return (
            estimate.value,
            tape.gradient(estimate.value, logits),
            tape.gradient(estimate.auxiliary, own, unconnected_gradients="zero"),
        )

    graph = (
        tf.function(step, autograph=False)
        .get_concrete_function(tf.TensorSpec([3, 2, categories]), tf.TensorSpec([2], tf.int32))
        .graph
    )
    outputs = [output for op in graph.get_operations() for output in op.outputs]
    sizes = [output.shape.num_elements() for output in outputs if output.dtype.is_floating]
    assert None not in sizes
    return np.array(sizes)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name,arguments", LINEAR, ids=lambda value: str(value))
def test_memory_is_linear_in_the_number_of_categories(name, arguments):
    """No tensor grows faster than K, nor do all together, but for the levels of a tree."""
    sizes = {count: traced_sizes(estimators.get(name, **arguments), count) for count in (16, 32)}
    assert sizes[32].max() <= 2.1 * sizes[16].max()
    assert sizes[32].sum() <= 2.5 * sizes[16].sum()


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_memory_that_is_not_linear_is_stated(name):
    few, many = (traced_sizes(estimators.get(name), count).max() for count in (16, 32))
    assert math.log2(many / few) == pytest.approx(NOT_LINEAR[name], abs=0.2)
    doc = " ".join(estimators.get_class(name).__doc__.split())
    assert "memory grow" in doc and "K**" in doc


def elbo_and_gradient(estimator, logits, prior, f, num_samples=30):
    """The loss of each example, and its gradient for the logits."""
    noise = estimator.draw_noise(seeds.base(0), logits, num_samples)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        layer = objectives.one_layer(estimator, logits, prior)
        loss = objectives.elbo(layer, f, noise=noise, training=True).loss
    return loss.numpy(), tape.gradient(loss, logits).numpy()


@pytest.mark.one_in(4)
@conformance.temperature_cases(lambda spec: True, [1e-3, 1.0])
def test_the_elbo_of_extreme_laws_is_finite(name, latents, temperature):
    """Logits of +-50, one category with all the mass, and what is masked in posterior and prior alike."""
    logits = conformance.extreme_logits(latents)
    prior = tf.where(tf.math.is_finite(logits), tf.zeros_like(logits), logits)
    loss, gradient = elbo_and_gradient(
        conformance.get(name, latents, temperature),
        logits,
        distributions.get(latents)(prior),
        problems.objective("network", latents, tf.float32),
    )
    assert np.isfinite(loss).all() and np.isfinite(gradient).all()
    assert (gradient[np.isneginf(logits)] == 0).all()


@pytest.mark.parametrize("name", estimators.names(latents="categorical"))
def test_the_kl_is_infinite_only_where_the_posterior_allows_what_the_prior_masks(name):
    """The example is infinite, its neighbours are not, and no gradient is NaN."""
    masked = [0.3, -np.inf, -0.2]
    logits = tf.constant([[masked, masked], [[0.3, 0.1, -0.2], masked], [masked, masked]])
    loss, gradient = elbo_and_gradient(
        conformance.get(name, "categorical"),
        logits,
        distributions.Categorical(tf.constant([[0.0, -np.inf, 0.0]] * 2)),
        problems.objective("network", "categorical", tf.float32),
    )
    np.testing.assert_array_equal(np.isposinf(loss), [False, True, False])
    assert np.isfinite(loss[[0, 2]]).all() and not np.isnan(gradient).any()


def certain_logits(latents, dtype):
    """Variables that are certain, by infinite and by very large logits, next to ties and generic ones."""
    rows = [
        [[0.0, -np.inf, -np.inf], [-np.inf, -np.inf, 0.3]],
        [[0.3, -np.inf, -0.2], [0.0, 0.0, 0.0]],
        [[65000.0, -65000.0, 0.0], [0.0, 0.0, -np.inf]],
    ]
    if latents == "bernoulli":
        rows = [[np.inf, -np.inf], [np.inf, 0.3], [0.0, -np.inf], [0.0, 0.0], [65000.0, -65000.0]]
    return tf.constant(rows, dtype)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "dtype,temperature",
    [
        ("float32", 1e-8),
        ("float32", 1e3),
        ("float64", 1e-8),
        ("float16", 1e-3),
        ("float16", 1.0),
        ("bfloat16", 1e-8),
    ],
)
@conformance.every_case
def test_certain_variables_give_finite_values_and_gradients(name, latents, dtype, temperature):
    if not conformance.takes_temperature(name):
        temperature = None
    estimator = conformance.get(name, latents, temperature)
    logits = certain_logits(latents, dtype)
    wide = tf.cast(logits, "float64" if dtype == "float64" else "float32")
    infinite = ~np.isfinite(logits.numpy())
    f = conformance.Recorder(problems.objective("network", latents, wide.dtype))
    certain = estimator.distribution(
        wide
    ).logits  # Of a code that smoothing may turn they are finite.
    prior = distributions.get(latents)(tf.where(infinite, certain, tf.zeros_like(wide)))
    own = [v.value for v in estimator.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        noise = estimator.draw_noise(seeds.base(0), logits, max(5, estimator.min_samples))
        layer = objectives.one_layer(estimator, logits, prior)
        terms = objectives.elbo(layer, f, noise=noise, training=True)
        auxiliary = tf.reduce_sum(terms.auxiliary)
    gradient = tape.gradient(terms.loss, logits).numpy()
    learned = tape.gradient(auxiliary, own, unconnected_gradients="zero") if own else []
    for result in (f.z, terms.loss, gradient, auxiliary, *learned):
        assert np.isfinite(result).all()
    assert (gradient[infinite] == 0).all()
    if estimator.spec.noise != "none" and name not in SMOOTHED:
        drawn = np.broadcast_to(infinite, f.z.shape)
        expected = np.broadcast_to(logits.numpy() == np.inf, f.z.shape)
        np.testing.assert_array_equal(f.z.numpy()[drawn], expected[drawn])


SMOOTHED = ("discrete_vae", "overlapping_exponentials")
"""Estimators whose values are random where the code is certain."""
WITH_TEMPERATURE = [case for case in conformance.CASES if conformance.takes_temperature(case[0])]


@pytest.mark.parametrize("name,latents", WITH_TEMPERATURE)
def test_temperatures_at_which_gradients_overflow_are_refused(name, latents):
    """Equal logits have the steepest softmax, of slope 1 / (4 t)."""
    estimator = conformance.get(name, latents, 1e-8)
    logits = tf.zeros([2, 3] if latents == "bernoulli" else [2, 3, 2], tf.float16)
    message = "temperature must be at least 4e-06 for float16.*Received: temperature=1e-08"
    with pytest.raises(ValueError, match=message):
        estimator.draw_noise(seeds.base(0), logits)
    estimator.draw_noise(seeds.base(0), tf.cast(logits, tf.bfloat16))
    with pytest.raises(ValueError, match="temperature must be at least 1e-30.*temperature=1e-50"):
        conformance.get(name, latents, 1e-50)


@pytest.mark.parametrize("name", ["reinmax", "reinmax_rao", "reinmax_cv"])
def test_a_masked_category_is_the_limit_of_an_improbable_one(name):
    """In value and gradient, for the same noise; DARN, whose centre knows of masks, has another limit."""
    improbable = tf.constant([[[0.3, -500.0, -0.2], [1.0, 0.4, -500.0]]], tf.float64)
    masked = tf.where(improbable < -100.0, tf.constant(-np.inf, tf.float64), improbable)
    estimator = conformance.get(name, "categorical", 0.7)
    f = problems.objective("network", "categorical")
    noise = estimator.draw_noise(seeds.base(0), improbable, 20)
    found = []
    for logits in (masked, improbable):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = estimator.estimate(f, logits, noise).value
        found.append((value.numpy(), tape.gradient(value, logits).numpy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
    assert np.abs(found[0][1]).max() > 0.01
