"""Samples by inversion: which category a uniform number means, exactly, and at masks and rounding."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.distributions import Bernoulli, Categorical, inversion, noise

BELOW_ONE = np.nextafter(np.float32(1.0), np.float32(0.0))


def category(probs, uniform):
    """The category that a uniform number means, the same by both ways."""
    given = tf.constant(probs, tf.float32), tf.constant(uniform, tf.float32)
    found = inversion._first_above(inversion._thresholds(given[0]), given[1])
    np.testing.assert_array_equal(inversion._in_turn(*given), found)
    np.testing.assert_array_equal(inversion.invert(*given), found)
    return found.numpy().tolist()


def test_every_category_has_the_numbers_of_its_share():
    uniform = (np.arange(1000) + 0.5) / 1000
    counts = np.bincount(category([0.1, 0.0, 0.5, 0.15, 0.25], uniform), minlength=5)
    np.testing.assert_array_equal(counts, [100, 0, 500, 150, 250])


@pytest.mark.parametrize(
    "probs,lowest,highest",
    [
        ([0.0, 0.4, 0.6], 1, 2),
        ([0.4, 0.6, 0.0], 0, 1),
        ([0.0, 0.0, 1.0, 0.0], 2, 2),
        ([1.0, 0.0], 0, 0),
        ([0.0, 1.0], 1, 1),
        ([0.3, 0.0, 0.0, 0.7], 0, 3),
    ],
)
def test_no_masked_category_at_the_ends_of_the_interval(probs, lowest, highest):
    assert category(probs, [0.0, BELOW_ONE]) == [lowest, highest]


@pytest.mark.parametrize("first", [0, 100])
def test_a_sum_that_rounding_leaves_below_one_samples_no_masked_category(first):
    """The float32 sum of 156 times 1 / 156 is below 1."""
    probs = np.zeros(256, np.float32)
    probs[first : first + 156] = 1 / 156
    assert np.cumsum(probs)[-1] < BELOW_ONE
    assert category(probs, [0.0, BELOW_ONE]) == [first, first + 155]


def test_sums_that_rounding_lets_fall_sample_no_masked_category():
    """Sums that are not made in turn need not rise: each threshold is compared for itself."""
    thresholds = tf.constant([0.5, -math.inf, 0.5 - 1e-7, math.inf])
    found = inversion._first_above(thresholds, tf.constant([0.0, 0.5 - 1e-7, 0.5, 0.7]))
    assert found.numpy().tolist() == [0, 0, 3, 3]


def test_extreme_logits():
    logits = tf.constant([[0.0, 1e4, -1e4], [-1e30, 1e30, 0.0], [-math.inf, -1e4, -math.inf]])
    codes = Categorical(logits).code(Categorical(logits).sample(seeds.base(0), 1000))
    np.testing.assert_array_equal(codes, np.ones([1000, 3]))


@pytest.mark.parametrize("categories", [3, 30])
def test_probabilities_of_nan_give_a_category_that_exists(categories):
    codes = inversion.sample(tf.fill([4, categories], math.nan), seeds.base(0), 10)
    assert set(codes.numpy().ravel()) <= set(range(categories))


def test_the_most_categories_have_their_shares_exactly():
    most = inversion.MAX_CATEGORIES
    uniform = (np.arange(4 * most) + 0.5) / (4 * most)
    found = category(np.full(most, 1 / most), uniform)
    np.testing.assert_array_equal(found, np.repeat(np.arange(most), 4))


@pytest.mark.parametrize("categories", [2, 3, 20])
def test_frequencies_are_the_probabilities(categories):
    """An error of 0.01 in a probability of 0.5, or of 0.005 in one of 0.05, is 5 standard errors."""
    logits = np.random.RandomState(0).uniform(-0.2, 0.2, size=categories)
    p = tf.nn.softmax(tf.constant(logits, tf.float32)).numpy()
    codes = inversion.sample(tf.constant(p), seeds.base(1), 60_000)
    frequency = np.bincount(codes, minlength=categories) / 60_000
    assert np.max(np.abs(frequency - p) / np.sqrt(p * (1 - p) / 60_000)) < 5


def test_many_categories_and_unknown_ones_are_sampled_with_gumbel_noise():
    many = tf.range(5000.0)[tf.newaxis] / 500
    perturbed = tf.nn.log_softmax(many) + noise.gumbel(seeds.base(0), [7, 1, 5000])
    expected = tf.argmax(perturbed, axis=-1)
    np.testing.assert_array_equal(Categorical(many).sample_codes(seeds.base(0), 7), expected)
    graph = tf.function(
        lambda logits: Categorical(logits).sample_codes(seeds.base(0), 7),
        input_signature=[tf.TensorSpec([1, None])],
        autograph=False,
    )
    np.testing.assert_array_equal(graph(many), expected)


def test_bits_are_those_of_logistic_noise():
    logits = tf.constant(np.random.RandomState(0).normal(scale=3.0, size=[5, 8]), tf.float32)
    distribution = Bernoulli(tf.concat([logits, [[math.inf] * 8, [-math.inf] * 8]], axis=0))
    drawn = noise.logistic(seeds.base(3), [50, 7, 8])
    np.testing.assert_array_equal(
        distribution.sample(seeds.base(3), 50), distribution.harden(drawn)
    )


def test_compiled_by_xla_samples_are_of_the_same_distribution():
    probs = tf.constant([[0.2, 0.0, 0.5, 0.3]])

    @tf.function(jit_compile=True, autograph=False)
    def sample():
        with seeds.compiled_by_xla():
            return inversion.sample(probs, seeds.base(0), 20_000)

    frequency = np.bincount(sample().numpy().ravel(), minlength=4) / 20_000
    np.testing.assert_allclose(frequency, [0.2, 0.0, 0.5, 0.3], atol=5 * 0.5 / math.sqrt(20_000))
