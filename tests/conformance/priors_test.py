"""Every prior of codes against the protocol `types.Prior`: exact by enumeration, samples, config, saving."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_discrete import models, seeds
from tf_discrete._internal import checks
from tf_discrete.models import code_prior
from tf_discrete.models.generative_chain import GenerativeChain

NUM_SAMPLES = 20_000
SIGNIFICANCE = 1e-6


def learned(**options):
    return models.IndependentPrior(3, **options, learned=True)


def layers(**options):
    model = models.CategoricalVAE((4,), hidden_units=(), prior="learned", **options)
    return model.prior


CASES = {
    "uniform": lambda: models.IndependentPrior(3, 3),
    "uniform bits": lambda: models.IndependentPrior(4, latents="bernoulli"),
    "learned": lambda: learned(num_categories=3),
    "learned bits": lambda: learned(latents="bernoulli"),
    "autoregressive": lambda: models.AutoregressivePrior(3, 3, 2, units=4, embedding_units=3),
    "one stochastic layer": lambda: layers(num_variables=2, num_categories=3),
    "two stochastic layers": lambda: layers(num_variables=(2, 1), num_categories=3),
    "layers of two sizes": lambda: layers(num_variables=(1, 2), num_categories=(2, 3)),
}
PARTS = ("one stochastic layer", "two stochastic layers", "layers of two sizes")
"""Parts of a model, which saves their arguments."""
every_case = pytest.mark.parametrize("case", CASES)
own_config = pytest.mark.parametrize("case", [case for case in CASES if case not in PARTS])


def make(case):
    """A prior with weights far from the uniform distribution, unless it is that."""
    prior = CASES[case]()
    random = np.random.RandomState(1)
    for weight in prior.trainable_weights:
        weight.assign(random.normal(scale=0.8, size=weight.shape))
    return prior


def all_codes(prior):
    values = itertools.product(range(prior.num_categories), repeat=prior.num_variables)
    return np.array(list(values), np.int32)


def possible_codes(prior):
    """Those of layers with fewer categories than the largest are left out."""
    codes = all_codes(prior)
    if isinstance(prior, GenerativeChain):
        sizes = np.repeat(
            [spec.num_categories for spec in prior.latents.specs],
            [spec.num_variables for spec in prior.latents.specs],
        )
        codes = codes[(codes < sizes).all(axis=1)]
    return codes


@every_case
def test_probabilities_of_all_codes_sum_to_one(case):
    prior = make(case)
    log_prob = prior.log_prob(possible_codes(prior))
    assert log_prob.dtype == tf.float32
    probs = np.exp(log_prob.numpy().astype(np.float64))
    np.testing.assert_allclose(probs.sum(), 1.0, rtol=1e-5)
    if case.startswith("uniform"):
        nats = prior.num_variables * math.log(prior.num_categories)
        np.testing.assert_allclose(log_prob, np.full(len(probs), -nats), rtol=1e-6)
    else:
        assert probs.max() > 2 * probs.min()


@every_case
def test_samples_have_the_frequencies_of_log_prob(case):
    """Chi-square at 1e-6; a distribution that mixes in 10 % of one code is found with probability 0.99."""
    prior = make(case)
    codes = possible_codes(prior)
    p = np.exp(prior.log_prob(codes).numpy().astype(np.float64))
    p /= p.sum()
    sampled = prior.sample(NUM_SAMPLES, 3)
    assert sampled.dtype == tf.int32 and sampled.shape == (NUM_SAMPLES, prior.num_variables)
    place = {tuple(code): index for index, code in enumerate(codes.tolist())}
    found = [place[tuple(code)] for code in sampled.numpy().tolist()]
    counts = np.bincount(found, minlength=len(codes))
    assert scipy.stats.chisquare(counts, NUM_SAMPLES * p).pvalue > SIGNIFICANCE
    wrong = 0.9 * p + 0.1 * np.eye(len(codes))[0]
    noncentrality = NUM_SAMPLES * np.sum((wrong - p) ** 2 / p)
    bound = scipy.stats.chi2.isf(SIGNIFICANCE, len(codes) - 1)
    assert scipy.stats.ncx2.sf(bound, len(codes) - 1, noncentrality) > 0.99
    np.testing.assert_array_equal(prior.sample(9, 3), prior.sample(9, seeds.base(3)))
    assert (prior.sample(50, 3) != prior.sample(50, 4)).numpy().any()


@every_case
def test_codes_that_are_none_are_refused(case):
    prior = make(case)
    code = all_codes(prior)[:1]
    with pytest.raises(ValueError, match=r"num_categories.*maximum="):
        prior.log_prob(code + prior.num_categories)
    with pytest.raises(ValueError, match="codes"):
        prior.log_prob(code[:, 1:])
    with pytest.raises(ValueError, match="num_samples=-1"):
        prior.sample(-1, 0)


@pytest.mark.parametrize("case", ["learned", "layers of two sizes"])
def test_under_xla_codes_that_are_none_have_no_log_prob(case):
    prior = make(case)
    compiled = tf.function(prior.log_prob, jit_compile=True, autograph=False)
    codes = np.zeros([3, 3], np.int32)
    codes[1, 1], codes[2, 0] = 3, 2
    found = compiled(tf.constant(codes))
    expected = [False, True, case == "layers of two sizes"]  # The first layer has two categories.
    np.testing.assert_array_equal(np.isnan(found), expected)
    if expected[2]:
        with pytest.raises(ValueError, match=r"\[0, 2\).*maximum=2"):
            prior.log_prob(codes[2:])


@own_config
def test_a_config_makes_it_anew(case):
    prior = make(case)
    again = type(prior).from_config(prior.get_config())
    assert again.get_config() == prior.get_config()
    again.set_weights(prior.get_weights())
    codes = all_codes(prior)
    np.testing.assert_array_equal(again.log_prob(codes), prior.log_prob(codes))
    np.testing.assert_array_equal(again.sample(9, 1), prior.sample(9, 1))
    served = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(prior))
    assert served.get_config() == prior.get_config()


@every_case
def test_what_is_learned_gets_the_gradient_of_log_prob(case):
    prior = make(case)
    with tf.GradientTape() as tape:
        log_prob = prior.log_prob(possible_codes(prior), True)
    learned = prior.trainable_weights
    gradients = tape.gradient(log_prob, [weight.value for weight in learned])
    assert all(gradient is not None for gradient in gradients)
    assert bool(learned) != case.startswith("uniform")
    # d/dw sum_z p(z) = sum_z p(z) d/dw log p(z) = 0.
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.exp(prior.log_prob(possible_codes(prior), True)))
    for gradient in tape.gradient(total, [weight.value for weight in learned]):
        gradient = tf.convert_to_tensor(gradient)
        np.testing.assert_allclose(gradient, np.zeros(gradient.shape), atol=1e-5)


@every_case
def test_it_has_the_attributes_of_the_protocol(case):
    checks.having("prior", CASES[case](), code_prior.ATTRIBUTES, "a prior of codes")
