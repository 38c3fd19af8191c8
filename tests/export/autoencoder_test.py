"""The signatures give what the model's own methods give."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.export import small_models

SEED = tf.constant([5, 6])


@pytest.fixture(scope="module", params=["CategoricalVAE", "bernoulli"])
def model(request):
    return small_models.make(request.param)


@pytest.fixture(scope="module")
def image():
    return tf.constant(np.random.default_rng(0).uniform(size=[7, 8, 8, 1]), tf.float32)


def test_the_deterministic_ones_are_the_methods(model, image):
    call = {name: signature.fn for name, signature in model.signatures().items()}
    codes = model.encode(image)
    assert np.array_equal(call["encode"](image)["codes"], codes)
    assert np.array_equal(call["encode_probs"](image)["probs"], model.encode_probs(image))
    assert np.array_equal(call["decode"](codes)["image"], model.decode(codes))
    assert np.array_equal(call["reconstruct"](image)["image"], model.reconstruct(image))


def test_samples_are_those_of_the_same_seed_with_their_codes(model):
    answer = model.signatures()["sample"].fn(tf.constant(9), SEED)
    assert np.array_equal(answer["image"], model.sample(9, SEED))
    assert np.array_equal(answer["codes"], model.sample_codes(9, SEED))
    assert np.array_equal(answer["image"], model.decode(answer["codes"]))


def test_the_bound_is_that_of_the_same_seed(model, image):
    fn = small_models.compiled(model.signatures()["log_likelihood"])
    for num_samples in (1, 99, 100, 101, 300):
        answer = fn(image, tf.constant(num_samples), SEED)["log_likelihood"]
        expected = model.log_likelihood(image, num_samples, SEED)
        np.testing.assert_allclose(answer, expected, rtol=1e-5, err_msg=str(num_samples))
        # It is a draw of the bound, not the bound's limit: another seed gives another one.
        other = fn(image, tf.constant(num_samples), SEED + 1)["log_likelihood"]
        assert not np.allclose(answer, other, rtol=1e-7)
