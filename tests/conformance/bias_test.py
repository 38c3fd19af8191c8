"""The decision about bias finds a bias of 1 to 3 % of the gradient, and accuses no exact estimator."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import bias
from tests.estimators import problems
from tf_discrete import estimators, seeds
from tf_discrete.distributions import noise


def weakened(share, exact_for="any"):
    """ARM, which is exact, with a gradient that is too small by a share of it; not registered."""

    class Weakened(estimators.ARM):
        spec = estimators.ARM.spec._replace(exact_for=exact_for)

        def estimate(self, objective_fn, logits, noise, **arguments):
            moved = logits - share * (logits - tf.stop_gradient(logits))
            return super().estimate(objective_fn, moved, noise, **arguments)

    return Weakened(latents="bernoulli")


def decide(estimator, seed=0):
    logits = problems.generic_logits("bernoulli", tf.float32, batch=1)
    f = problems.objective("network", "bernoulli", tf.float32)
    return bias.decide(estimator, f, logits, seed=seed)


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_a_small_bias_is_found_and_measured(share):
    decision = decide(weakened(share))
    assert decision.biased
    assert abs(np.abs(decision.bias).max() - share) < decision.half_width.max() < share


def test_samples_grow_until_the_smaller_bias_is_decided():
    f = problems.objective("network", "bernoulli", tf.float32)
    logits = problems.generic_logits("bernoulli", tf.float32, batch=1)
    coarse, fine = (
        bias.decide(weakened(0.0), f, logits, smallest=smallest) for smallest in (0.01, 0.0012)
    )
    assert coarse.biased is False and fine.biased is False
    assert coarse.num_draws < fine.num_draws and fine.half_width.max() < 0.0012


def test_exact_estimators_are_not_accused():
    """One wrong answer among these would have a probability of at most 8 * ERROR_PROBABILITY."""
    for seed in range(8):
        decision = decide(weakened(0.0), seed)
        assert decision.biased is False
        assert np.all(np.abs(decision.bias) < decision.half_width)


@pytest.mark.parametrize("share", [0.01])
def test_a_false_claim_of_exactness_is_refused(share):
    with pytest.raises(
        AssertionError, match="declared exact, yet biased for the network objective"
    ):
        bias.check_declaration(lambda _: weakened(share), [None])


@pytest.mark.parametrize("share", [0.01])
def test_a_bias_that_is_declared_is_accepted(share):
    bias.check_declaration(lambda _: weakened(share, "none"), [None])


def test_an_exact_estimator_that_calls_itself_biased_is_refused():
    with pytest.raises(AssertionError, match="declared biased, yet exact for the linear objective"):
        bias.check_declaration(lambda _: weakened(0.0, "none"), [None])


def test_a_bias_at_one_temperature_alone_is_found():
    """Gumbel-Softmax has a small bias where it is cold: it is exact at no temperature."""

    class Claims(estimators.StraightThroughGumbelSoftmax):
        spec = estimators.StraightThroughGumbelSoftmax.spec._replace(exact_for="linear")

    def make(temperature):
        return Claims(temperature=temperature or 0.01, latents="bernoulli")

    with pytest.raises(AssertionError, match=r"yet biased for the linear .*temperature=0\.2"):
        bias.check_declaration(make, [None, 0.2])


def test_noise_of_one_seed_is_the_same_noise():
    """An estimator that uses one seed for two purposes is as wrong in this noise as in any other."""
    first, second = seeds.fold(seeds.base(0), "first"), seeds.fold(seeds.base(0), "second")
    with bias._low_discrepancy():
        one, again, other = (
            noise.open_uniform(seed, [1, bias.POINTS, 3]).numpy() for seed in (first, first, second)
        )
    np.testing.assert_array_equal(one, again)
    for values in (one, other):
        np.testing.assert_allclose(values.mean(axis=1), 0.5, atol=1e-3)
    product = (one - 0.5) * (other - 0.5)
    np.testing.assert_allclose(product.mean(axis=1), 0.0, atol=5e-3)
