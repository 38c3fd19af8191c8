"""The independent prior: what is trained, and in which dtype. tests/conformance has its distribution."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.models import IndependentPrior


def test_only_a_learned_prior_is_trained():
    uniform, learned = IndependentPrior(3, 4), IndependentPrior(3, 4, learned=True)
    assert uniform.trainable_weights == [] and len(learned.trainable_weights) == 1
    codes = uniform.sample(6, seed=2)
    np.testing.assert_array_equal(learned.log_prob(codes), uniform.log_prob(codes))
    assert uniform.distribution().logits.shape == (3, 4)
    assert IndependentPrior(3, latents="bernoulli").distribution().logits.shape == (3,)


@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16", "float32", "float64"])
def test_log_prob_is_computed_in_at_least_float32(policy):
    prior = IndependentPrior(3, 4, learned=True, dtype=policy)
    wide = tf.float64 if policy == "float64" else tf.float32
    prior.logits.assign(np.full([3, 4], 1.001))
    assert prior(np.zeros([2, 3], np.int32)).dtype == wide
    assert prior.distribution().logits.dtype == wide
    np.testing.assert_allclose(prior(np.zeros([2, 3], np.int32)), [-3 * np.log(4)] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"num_variables": 0}, "num_variables=0"),
        ({"num_variables": 2, "num_categories": 1}, "num_categories=1"),
        ({"num_variables": 2, "latents": "x"}, "latents"),
        ({"num_variables": 2, "learned": "yes"}, "learned='yes'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        IndependentPrior(**arguments)
