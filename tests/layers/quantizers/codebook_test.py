"""Codebooks: averages, replacement of dead codewords, and memory."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.layers.quantizers import SimVQ, VectorQuantizer

X = tf.random.stateless_normal([64, 3], [0, 1])
KINDS = ("moving_average", "gradient")


def test_moving_averages_by_hand():
    layer = VectorQuantizer(2, decay=0.75, dead_threshold=0)
    layer.build((None, 1))
    layer.codebook.assign([[0.0], [10.0]])
    layer.quantize_vectors(tf.constant([[1.0], [2.0], [8.0]]), training=True)
    # Averages (sum, use): (0, 1) and (10, 1) decay by 3/4 and take a quarter of (3, 2) and (8, 1).
    np.testing.assert_allclose(layer.codebook.use, [1.25, 1.0])
    np.testing.assert_allclose(layer.codebook.codewords(), [[0.75 / 1.25], [9.5]])


@pytest.mark.parametrize("kind", KINDS)
def test_codewords_start_at_data(kind):
    layer = VectorQuantizer(32, kind)
    layer.quantize_vectors(X, training=True)
    rows = {tuple(row) for row in X.numpy().round(4)}
    codewords = {tuple(row) for row in layer.codebook.codewords().numpy().round(4)}
    assert codewords <= rows and len(codewords) == 32


@pytest.mark.parametrize("kind", KINDS)
def test_codewords_start_at_data_after_a_batch_of_padding(kind):
    layer = VectorQuantizer(4, kind)
    layer.build((None, 3))
    layer.quantize_vectors(X[:5], training=True, mask=tf.zeros([5], tf.bool))
    layer.quantize_vectors(X + 50.0, training=True)
    assert layer.codebook.codewords().numpy().min() > 40
    assert len(set(layer.encode(X + 50.0).numpy().ravel())) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_dead_codewords_come_back_and_their_averages_start_anew(kind):
    layer = VectorQuantizer(8, kind, decay=0.5)
    layer.adapt(X)
    book = layer.codebook
    far = tf.tensor_scatter_nd_update(book.codewords(), [[2], [5]], 1000.0 * tf.ones([2, 3]))
    book.assign(far)
    for _ in range(7):
        layer.quantize_vectors(X, training=True)
    rows = {tuple(row) for row in X.numpy().round(3)}
    assert np.abs(book.codewords()).max() < 10
    if kind == "gradient":  # Without an optimizer a codeword stays where it was put.
        assert {tuple(row) for row in book.codewords().numpy()[[2, 5]].round(3)} <= rows
    assert book.use.numpy().min() > 0.05 * book.use.numpy().mean()
    assert len(set(layer.encode(X).numpy().ravel())) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_without_replacement_an_unused_codeword_stays_a_number(kind):
    layer = VectorQuantizer(2, kind, decay=0.0, dead_threshold=0)
    layer.build((None, 3))
    layer.codebook.assign([[0.0] * 3, [100.0] * 3])
    for _ in range(3):
        layer.quantize_vectors(X, training=True)
    np.testing.assert_allclose(layer.codebook.codewords()[1], [100.0] * 3, rtol=1e-6)


def test_a_trained_codebook_has_the_gradient_of_its_loss():
    layer = VectorQuantizer(4, "gradient", commitment_weight=0.25)
    layer.build((None, 3))
    with tf.GradientTape() as tape:
        tape.watch(X)
        found = layer.quantize_vectors(X)
        loss = tf.reduce_sum(found.loss)
    to_x, to_kernel = tape.gradient(loss, [X, layer.codebook.kernel.value])
    error = X - found.vectors
    np.testing.assert_allclose(to_x, 0.5 * error, rtol=1e-5)
    expected = tf.math.unsorted_segment_sum(-2.0 * error, found.codes[:, 0], 4)
    np.testing.assert_allclose(tf.convert_to_tensor(to_kernel), expected, rtol=1e-4, atol=1e-5)
    assert isinstance(to_kernel, tf.IndexedSlices)


def test_averages_have_no_gradient_codebook_and_diveq_needs_one():
    layer = VectorQuantizer(4)
    layer.build((None, 3))
    assert not layer.trainable_variables
    with pytest.raises(ValueError, match="trains the codewords.*Received: gradient='diveq'"):
        VectorQuantizer(4, gradient="diveq")
    by_rule = VectorQuantizer(4, "gradient", "diveq").quantize_vectors(X)
    assert not by_rule.loss.numpy().any()


def test_every_codeword_of_simvq_moves_in_a_step():
    layer = SimVQ(16)
    layer.build((None, 3))
    before = layer.codebook.codewords().numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(layer.quantize_vectors(X[:1]).loss)
    keras.optimizers.SGD(0.1).apply(
        tape.gradient(loss, [layer.codebook.kernel.value]), [layer.codebook.kernel]
    )
    assert (np.abs(layer.codebook.codewords() - before).max(axis=1) > 0).all()


def test_cosine_compares_directions():
    layer = VectorQuantizer(4, distance="cosine")
    layer.adapt(X)
    vectors, codes = layer(X)
    np.testing.assert_array_equal(layer.encode(7.0 * X), codes)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1.0, rtol=1e-5)
    cosines = tf.math.l2_normalize(X, -1) @ tf.transpose(layer.codebook.codewords())
    np.testing.assert_array_equal(codes[:, 0], np.argmax(cosines, axis=1))


def test_more_codewords_than_vectors_are_refused():
    with pytest.raises(
        ValueError, match="at least as many vectors.*Received: 64 vectors, num_codewords=65"
    ):
        VectorQuantizer(65).adapt(X)
