"""Stacks of quantisers: the residuals by hand, prefixes and dropout."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.layers.quantizers import (
    FiniteScalarQuantizer,
    GroupedQuantizer,
    LookupFreeQuantizer,
    ResidualQuantizer,
    VectorQuantizer,
    composite,
)

X = tf.random.stateless_normal([50, 4], [0, 1])


def stack(**options):
    layer = ResidualQuantizer(VectorQuantizer(8), 3, **options)
    layer.adapt(X)
    return layer


def test_each_quantizer_works_on_the_residual():
    layer = stack()
    vectors, codes = layer(X)
    residual, total = X, 0.0
    for number, part in enumerate(layer.parts):
        value, code = part(residual)
        np.testing.assert_array_equal(codes[:, number], code[:, 0])
        residual, total = residual - value, total + value
        np.testing.assert_allclose(layer.decode(codes[:, : number + 1]), total, atol=1e-6)
    np.testing.assert_allclose(vectors, total, atol=1e-6)
    errors = [float(tf.reduce_mean(tf.square(X - layer.decode(codes[:, :n])))) for n in (1, 2, 3)]
    assert errors[0] > 1.2 * errors[1] > 1.2**2 * errors[2]


@pytest.mark.parametrize(
    "gradient, codebook", [("straight_through", "moving_average"), ("diveq", "gradient")]
)
def test_the_rule_is_applied_once_to_the_sum(gradient, codebook):
    layer = ResidualQuantizer(VectorQuantizer(8, codebook, gradient), 3)
    layer.adapt(X)
    with tf.GradientTape() as tape:
        tape.watch(X)
        vectors = layer.quantize_vectors(X).vectors
        value = tf.reduce_sum(vectors)
    variables = (
        [part.codebook.kernel.value for part in layer.parts] if codebook == "gradient" else []
    )
    to_x, *to_kernels = tape.gradient(value, [X, *variables])
    if not variables:
        np.testing.assert_allclose(to_x, tf.ones_like(X))
        return
    unit = tf.math.l2_normalize(vectors - X, axis=-1)
    along = unit * tf.reduce_sum(unit, axis=-1, keepdims=True)
    inexact = np.linalg.norm(vectors - X, axis=-1) > 1e-3
    np.testing.assert_allclose(to_x.numpy()[inexact], (1.0 - along).numpy()[inexact], atol=1e-4)
    for kernel in to_kernels:
        # What does not reach the vector reaches each codeword of the sum.
        rest = tf.reduce_sum(1.0 - to_x, axis=0)
        np.testing.assert_allclose(tf.reduce_sum(kernel.values, axis=0), rest, rtol=1e-3)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_a_wide_beam_finds_the_nearest_of_all_sums(distance):
    """By enumeration of all 4^3 codes; a beam of 2 lies between that and the greedy choice."""
    errors = {}
    for beam_size in (1, 2, 16):
        layer = ResidualQuantizer(VectorQuantizer(4, distance=distance), 3, beam_size=beam_size)
        layer.adapt(X)
        vectors, codes = layer(X)
        np.testing.assert_allclose(layer.decode(codes), vectors, atol=1e-6)
        errors[beam_size] = np.square(X - vectors).sum(axis=-1)
        every = layer.decode(list(itertools.product(range(4), repeat=3))).numpy()
    least = np.square(X.numpy()[:, None] - every).sum(axis=-1).min(axis=-1)
    np.testing.assert_allclose(errors[16], least, atol=1e-5)
    assert errors[1].mean() > errors[2].mean() > least.mean()


def test_a_beam_needs_codebooks():
    with pytest.raises(ValueError, match="needs quantisers with a codebook.*Received: beam_size=2"):
        ResidualQuantizer(FiniteScalarQuantizer((5,) * 4), 2, beam_size=2)
    with pytest.raises(ValueError, match="beam_size must be .*Received: beam_size=0"):
        ResidualQuantizer(VectorQuantizer(4), 2, beam_size=0)


def test_dropout_decodes_a_prefix_and_keeps_the_codes():
    layer = ResidualQuantizer(FiniteScalarQuantizer((5,) * 4), 3, dropout=0.75)
    codes = layer.encode(X)
    prefixes = [layer.decode(codes[:, :n]).numpy() for n in (1, 2, 3)]
    train = tf.function(lambda: layer.quantize_vectors(X, training=True), autograph=False)
    seen = np.zeros(3, int)
    for _ in range(60):
        found = train()
        errors = [np.abs(found.vectors - prefix).max() for prefix in prefixes]
        seen[int(np.argmin(errors))] += 1
        assert min(errors) < 1e-5
        np.testing.assert_array_equal(found.codes, codes)
    assert seen.min() >= 5 and seen.sum() == 60  # 22.5, 22.5 and 15 are expected.
    np.testing.assert_allclose(layer(X)[0], prefixes[2], atol=1e-6)


def test_a_prefix_of_whole_quantizers_only():
    layer = ResidualQuantizer(LookupFreeQuantizer(4, bits_per_code=2), 2)
    codes = layer.encode(X)
    assert layer.decode(codes[:, :2]).shape == X.shape
    with pytest.raises(
        ValueError, match="one number for each variable.*Received: codes.shape=.50, 3"
    ):
        layer.decode(codes[:, :3])


def test_quantizers_of_another_size_are_refused():
    with pytest.raises(
        ValueError, match="Give code_size to ResidualQuantizer.*Received: vectors of size 4"
    ):
        ResidualQuantizer(VectorQuantizer(8, code_size=2), 2).build((None, 4))
    with pytest.raises(ValueError, match="Give code_size to ResidualQuantizer"):
        ResidualQuantizer(GroupedQuantizer(FiniteScalarQuantizer((3,)), 2), 2).build((None, 4))
    layer = ResidualQuantizer(VectorQuantizer(8), 2, code_size=2)
    assert layer.encode(X).shape == (50, 2) and layer.parts[1].codebook.dim == 2


def test_groups_must_divide_the_vectors():
    with pytest.raises(
        ValueError, match="num_groups must divide.*Received: num_groups=3, vectors of size 4"
    ):
        GroupedQuantizer(VectorQuantizer(8), 3).build((None, 4))
    with pytest.raises(ValueError, match="quantizer must be a quantiser.*Received: quantizer=3"):
        GroupedQuantizer(3)


def test_groups_are_quantised_apart():
    layer = GroupedQuantizer(VectorQuantizer(8), 2)
    layer.adapt(X)
    vectors, codes = layer(X)
    for number, part in enumerate(layer.parts):
        value, code = part(X[:, 2 * number : 2 * number + 2])
        np.testing.assert_array_equal(codes[:, number], code[:, 0])
        np.testing.assert_allclose(vectors[:, 2 * number : 2 * number + 2], value)
    assert layer.parts[0].seed != layer.parts[1].seed
    shared = GroupedQuantizer(VectorQuantizer(8), 2, shared=True)
    shared.adapt(X)
    swapped = tf.concat([X[:, 2:], X[:, :2]], axis=-1)
    np.testing.assert_array_equal(shared.encode(swapped), shared.encode(X)[:, ::-1])


def test_what_would_be_ignored_is_refused():
    from tf_discrete.layers import quantizers

    inner = quantizers.VectorQuantizer(8, "gradient", "diveq")
    with pytest.raises(ValueError, match="gradient='diveq' in quantizer=GroupedQuantizer"):
        quantizers.ResidualQuantizer(quantizers.GroupedQuantizer(inner, 2), 2)
    with pytest.raises(ValueError, match="Received: loss_weight=0.5 of .vector_quantizer"):
        quantizers.ResidualQuantizer(quantizers.VectorQuantizer(8, loss_weight=0.5), 2)


def test_a_part_that_is_no_quantizer_is_refused():
    with pytest.raises(ValueError, match="parts must be .*quantizers. Received: parts='vector'"):
        composite.CompositeQuantizer(["vector"])
