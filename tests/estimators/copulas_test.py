"""Sticks that are broken together: the probabilities of pairs, by integration of the Dirichlet density."""

import numpy as np
import pytest
import scipy.integrate
import tensorflow as tf

from tests.estimators import coupled_sticks
from tf_discrete import seeds
from tf_discrete.distributions import noise
from tf_discrete.estimators import copulas


@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize("prob", [0.1, 0.3, 0.5])
def test_two_of_several_are_both_below_as_the_density_of_the_simplex_says(count, prob):
    """(d_1, d_2) of a uniform point of the simplex has the density (M - 1)(M - 2)(1 - d_1 - d_2)**(M - 3)."""
    lowest = 1 - prob ** (1 / (count - 1))
    expected = 0.0
    if 2 * lowest < 1:
        expected, _ = scipy.integrate.dblquad(
            lambda y, x: (count - 1) * (count - 2) * (1 - x - y) ** (count - 3),
            lowest,
            1 - lowest,
            lowest,
            lambda x: max(lowest, 1 - x),
        )
    found = float(copulas.both_below(tf.constant(prob, tf.float64), count))
    assert found == pytest.approx(expected, abs=1e-9)


def test_two_uniform_numbers_are_mirrored():
    uniform = noise.open_uniform(seeds.base(0), [100, 2], tf.float64)
    one, other = tf.unstack(copulas.antithetic_uniform(uniform), axis=-1)
    np.testing.assert_allclose(one + other, 1.0, atol=1e-12)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_number_is_uniform_and_two_are_rarely_both_small(count):
    uniform = copulas.antithetic_uniform(
        noise.open_uniform(seeds.base(count), [40_000, count], tf.float64)
    ).numpy()
    for quantile in (0.1, 0.5, 0.9):
        error = np.sqrt(quantile * (1 - quantile) / 40_000)
        assert np.all(np.abs((uniform < quantile).mean(axis=0) - quantile) < 5.5 * error)
    both = (uniform[:, 0] < 0.3) & (uniform[:, 1] < 0.3)
    expected = float(copulas.both_below(tf.constant(0.3, tf.float64), count))
    assert abs(both.mean() - expected) <= 5.5 * np.sqrt(expected / 40_000)
    assert expected < 0.3**2


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("categories", [2, 3, 4])
def test_ratios_are_those_of_the_enumerated_pairs(count, categories):
    """P(i and j) is summed over all ways in which M samples can break the sticks."""
    probs = np.random.RandomState(categories).dirichlet(np.ones(categories))
    order, shares = copulas.sticks(tf.math.log(probs))
    places, weight = coupled_sticks.all_places(shares.numpy(), count)
    assert weight.sum() == pytest.approx(1.0)
    ordered = probs[order.numpy()]
    ratios = copulas.independence_ratios(shares, count).numpy()
    assert ratios.max() <= 2 - 2 / categories + 1e-12
    for i in range(categories):
        assert weight @ (places[:, 0] == i) == pytest.approx(ordered[i], abs=1e-12)
        for j in range(categories):
            if i != j:
                both = weight @ ((places[:, 0] == i) & (places[:, 1] == j))
                assert both * ratios[min(i, j)] == pytest.approx(ordered[i] * ordered[j], abs=1e-12)
