"""ARM and DisARM summed exactly over their uniform noise, which they cut into cells."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, problems
from tf_discrete import estimators, seeds
from tf_discrete.estimators import couplings, diagnostics

CASES = [
    ("arm", "bernoulli", {}),
    ("disarm", "bernoulli", {}),
    ("disarm", "categorical", {"coupling": "tree"}),
    ("disarm", "categorical", {"coupling": "stick_breaking"}),
]
every_case = pytest.mark.parametrize("name,latents,arguments", CASES)


def right_probabilities(logits, latents, coupling):
    """The probability of each binary decision, NumPy, [N, nodes]."""
    if latents == "bernoulli":
        return 1 / (1 + np.exp(-logits))[:, None]
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    if coupling == "tree":  # Of the leaves 0, 1 | 2, none.
        root, left = probs[:, 2], probs[:, 1] / (probs[:, 0] + probs[:, 1])
        return np.stack([root, left, np.zeros_like(root)], axis=-1)
    ordered = np.sort(probs, axis=-1)
    return ordered / np.cumsum(ordered[:, ::-1], axis=-1)[:, ::-1]


def cells(logits, latents, coupling=None):
    """Midpoint and probability of every cell of the uniform noise of one example."""
    axes = []
    for p in right_probabilities(logits, latents, coupling).ravel():
        edges = sorted({0.0, *np.clip([p, 1 - p], 0.0, 1.0), 1.0})
        axes.append([((low + high) / 2, high - low) for low, high in itertools.pairwise(edges)])
    cells = np.array(list(itertools.product(*axes)))
    return cells[..., 0], cells[..., 1].prod(axis=-1)


def gradient(estimator, f, logits, noise):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        estimate = estimator.estimate(f, logits, noise)
    return estimate.value, tape.gradient(estimate.value, logits)


def over_cells(name, latents, arguments, f, logits):
    """Value and gradient in every cell, and the cells' probabilities."""
    estimator = estimators.get(name, latents=latents, **arguments)
    middle, weight = cells(logits.numpy(), latents, **arguments)
    shape = [1, len(weight), logits.shape[0]] + ([-1] if latents == "categorical" else [])
    tiled = tf.broadcast_to(logits, [len(weight), *logits.shape])
    value, drawn = gradient(estimator, f, tiled, tf.constant(middle.reshape(shape)))
    return value.numpy(), drawn.numpy(), weight


@every_case
@pytest.mark.parametrize("objective", ["quadratic", "cubic", "network"])
def test_unbiased_by_enumeration_of_the_cells(name, latents, arguments, objective):
    """ARM is linear in the noise within a cell and DisARM constant, so the middle is the mean."""
    f = problems.objective(objective, latents)
    for logits in problems.generic_logits(latents):
        value, drawn, weight = over_cells(name, latents, arguments, f, logits)
        truth = diagnostics.exact_gradient(f, logits, latents)
        assert weight.sum() == pytest.approx(1.0)
        assert weight @ value == pytest.approx(float(truth.value), abs=1e-9)
        np.testing.assert_allclose(np.tensordot(weight, drawn, 1), truth.gradient, atol=1e-9)


def test_disarm_is_the_mean_of_arm_given_the_pair():
    f = problems.objective("cubic", "bernoulli")
    for logits in problems.generic_logits("bernoulli"):
        (_, arm, weight), (_, disarm, _) = (
            over_cells(name, "bernoulli", {}, f, logits) for name in ("arm", "disarm")
        )
        np.testing.assert_allclose(disarm, arm, atol=1e-12)
        # The cell's mean of ARM; within the cell ARM goes on moving, so DisARM has less variance.
        estimator = estimators.get("arm", latents="bernoulli")
        noise = estimator.draw_noise(seeds.base(0), tf.broadcast_to(logits, [20_000, 2]))
        tiled = tf.broadcast_to(logits, [20_000, 2])
        spread = [
            gradient(estimators.get(each, latents="bernoulli"), f, tiled, noise)[1].numpy().var(0)
            for each in ("arm", "disarm")
        ]
        assert spread[1].sum() < 0.9 * spread[0].sum()


@pytest.mark.parametrize("coupling", couplings.COUPLINGS)
def test_two_categories_are_disarm_of_a_bit_draw_by_draw(coupling):
    bit = problems.generic_logits("bernoulli", batch=200)
    two = tf.stack([0.2 * bit, 1.2 * bit], axis=-1)
    f = problems.objective("cubic", "bernoulli")
    estimator = estimators.get("disarm", coupling=coupling)
    noise = estimator.draw_noise(seeds.base(0), two)
    seen = []
    drawn = gradient(estimator, lambda z: seen.append(z[0, ..., 1]) or f(z[..., 1]), two, noise)[1]
    expected = (
        ((f(seen[0]) - f(seen[1])) / 2)[:, None] * (seen[0] - seen[1]) * tf.sigmoid(tf.abs(bit))
    )
    np.testing.assert_allclose(drawn[..., 1], expected, atol=1e-12)
    np.testing.assert_allclose(drawn[..., 0], -expected, atol=1e-12)


@pytest.mark.parametrize("coupling", couplings.COUPLINGS)
@pytest.mark.parametrize("categories", [2, 3, 5, 8])
def test_both_draws_of_a_pair_have_the_law_of_the_logits(coupling, categories):
    logits = np.random.RandomState(categories).normal(size=[categories])
    logits[1] = -np.inf if categories > 2 else logits[1]
    uniform = tf.random.stateless_uniform(
        [50_000, couplings.num_uniforms(coupling, categories)], [0, 1], dtype=tf.float64
    )
    tiled = tf.broadcast_to(logits, [50_000, categories])
    first, second, direction = couplings.draw_pair(coupling, uniform, tiled)
    probs = tf.nn.softmax(logits).numpy()
    error = np.sqrt(probs * (1 - probs) / 50_000)
    for draws in (first, second):
        assert np.all(tf.reduce_sum(draws, -1) == 1)
        assert np.all(np.abs(np.mean(draws, axis=0) - probs) <= 5.5 * error)
    assert np.isfinite(direction).all()
    np.testing.assert_allclose(np.sum(direction, axis=-1), 0.0, atol=1e-9)
    # Opposite: the pair agrees less often than two independent draws do.
    together = np.mean(np.sum(first * second, axis=-1))
    assert together < (probs**2).sum() - 0.02


@pytest.mark.one_in(3)
@every_case
def test_variance_against_two_independent_samples(name, latents, arguments):
    """At equal cost: no baseline, and (printed only) leave-one-out."""
    problem = learning.Problem(latents)
    ours = learning.gradients(estimators.get(name, latents=latents, **arguments), problem)
    for baseline in ("none", "leave_one_out"):
        other = estimators.get("score_function", latents=latents, baseline=baseline)
        ratio, low, high = learning.variance_ratio(
            ours, learning.gradients(other, problem, num_samples=2)
        )
        print(f"{name} {arguments} against {baseline}: {ratio:.3f} [{low:.3f}, {high:.3f}]")
        assert baseline != "none" or high < 0.5


@pytest.mark.parametrize("coupling", couplings.COUPLINGS)
def test_noise_is_linear_in_the_number_of_categories(coupling):
    for categories in (2, 3, 16, 33, 100):
        assert couplings.num_uniforms(coupling, categories) <= 2 * categories


@pytest.mark.parametrize("coupling", couplings.COUPLINGS)
def test_extreme_and_masked_logits_under_xla(coupling):
    estimator = estimators.get("disarm", coupling=coupling)
    rows = [[50.0, -50.0, 0.0, -np.inf], [-np.inf, 0.3, -np.inf, -np.inf], [0.0, 0.0, -50.0, 50.0]]
    logits = tf.constant([[row, row] for row in rows])
    weights = tf.constant([1.0, -2.0, 3.0, 0.5])

    @tf.function(jit_compile=True, autograph=False)
    def step(seed):
        noise = estimator.draw_noise(seed, logits, 200)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = estimator.estimate(
                lambda z: tf.reduce_sum(weights * z, [-2, -1]) ** 2, logits, noise
            ).value
        return value, tape.gradient(value, logits)

    value, drawn = step(seeds.base(0))
    assert np.isfinite(value).all() and np.isfinite(drawn).all()
    assert not np.any(drawn.numpy()[np.isneginf(logits)])
    assert float(value[1]) == pytest.approx(16.0)  # One category is all that is left: (-2 - 2)**2.


def test_refusals():
    with pytest.raises(ValueError, match="coupling must be one of tree, stick_breaking. Received"):
        estimators.get("disarm", coupling="chain")
    with pytest.raises(ValueError, match="ARM supports bernoulli latents only.*'categorical'"):
        estimators.get("arm", latents="categorical")
