"""`LatentSpec`: shapes, checks and the round trip of its config."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.distributions import Bernoulli, Categorical, LatentSpec


def test_shapes_of_the_two_kinds():
    one, bits = LatentSpec(20, 10), LatentSpec(8, 2, "bernoulli")
    assert (one.kind, one.event_rank, one.shape, one.logits_shape) == (
        Categorical,
        2,
        (20, 10),
        (20, 10),
    )
    assert (bits.kind, bits.event_rank, bits.shape, bits.logits_shape) == (Bernoulli, 1, (8,), (8,))
    assert (one.num_logits, bits.num_logits) == (200, 8)
    assert (LatentSpec(2, 10).num_configurations, bits.num_configurations) == (100, 256)


def test_it_is_a_value():
    spec = LatentSpec(np.int64(4), 3)
    assert spec == LatentSpec(4, 3) and hash(spec) == hash(LatentSpec(4, 3))
    assert type(spec.num_variables) is int
    with pytest.raises(AttributeError):
        spec.num_variables = 5


@pytest.mark.parametrize("latents,sizes", [("categorical", (4, 3)), ("bernoulli", (4, 2))])
@pytest.mark.parametrize("code_values", ["zero_one", "plus_minus"])
def test_config_round_trip(latents, sizes, code_values):
    spec = LatentSpec(*sizes, latents, code_values)
    assert LatentSpec.from_config(json.loads(json.dumps(spec.get_config()))) == spec
    config = keras.saving.serialize_keras_object(spec)
    assert keras.saving.deserialize_keras_object(json.loads(json.dumps(config))) == spec


def test_concatenation_adds_the_variables():
    layers = [
        LatentSpec(4, 3, code_values="plus_minus"),
        LatentSpec(2, 3, code_values="plus_minus"),
    ]
    assert LatentSpec.concatenate(layers) == LatentSpec(6, 3, "categorical", "plus_minus")


@pytest.mark.parametrize("spec", [LatentSpec(4, 3), LatentSpec(4, 2, "bernoulli")])
def test_values_and_logits(spec):
    distribution = spec.uniform(tf.float64)
    assert distribution.logits.dtype == tf.float64
    np.testing.assert_allclose(distribution.probs, np.full(spec.shape, 1 / spec.num_categories))
    logits = spec.as_logits(tf.zeros([2, 5, spec.num_logits]), tf.float64)
    assert logits.shape == [2, 5, *spec.logits_shape] and logits.dtype == tf.float64
    z = spec.distribution(logits).mode()
    assert spec.flatten(z).shape == [2, 5, spec.num_logits]
    assert spec.manifest_entries() == {
        "latent_shape": spec.shape,
        "latents": spec.latents,
        "num_variables": 4,
        "num_categories": spec.num_categories,
    }


def test_how_a_network_reads_a_value():
    z = tf.constant([[0.0, 1.0, 0.25]])
    assert LatentSpec(1, 3).network_input(z) is z
    signed = LatentSpec(1, 3, code_values="plus_minus").network_input(z)
    np.testing.assert_array_equal(signed, [[-1.0, 1.0, -0.5]])


@pytest.mark.parametrize(
    "arguments,message",
    [
        ((0, 3), "num_variables must be at least 1. Received: num_variables=0"),
        ((4, 1), "num_categories must be at least 2. Received: num_categories=1"),
        ((4, 3, "bernoulli"), "Set num_categories=2. Received: num_categories=3"),
        ((4, 3, "ternary"), "latents must be one of.*Received: latents='ternary'"),
        ((4, 3, "categorical", "signed"), "must be one of zero_one, plus_minus.*'signed'"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        LatentSpec(*arguments)
