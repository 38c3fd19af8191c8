"""Nearest codewords and k-means."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.layers.quantizers import k_means

X = tf.random.stateless_normal([300, 3], [0, 1])


@pytest.mark.parametrize("block", [7, 20, 8192])
def test_nearest_is_that_of_all_distances_in_any_blocks(monkeypatch, block):
    monkeypatch.setattr(k_means, "BLOCK", block)
    distances = np.linalg.norm(X[:, None] - X[None, :20], axis=-1)
    np.testing.assert_array_equal(k_means.nearest(X, X[:20]), distances.argmin(1))
    assert k_means.nearest(X[:1], tf.zeros([20, 3])).numpy() == [0]
    indices, errors = k_means.nearest_several(X, X[:20], 9)
    np.testing.assert_array_equal(indices, distances.argsort(1)[:, :9])
    np.testing.assert_allclose(errors, np.square(np.sort(distances)[:, :9]), atol=1e-5)


def test_lloyd_ends_where_codewords_are_the_means_of_their_vectors():
    codewords = k_means.lloyd(X, 20, 200).numpy()
    indices = k_means.nearest(X, codewords).numpy()
    assert len(set(indices)) == 20
    means = [X.numpy()[indices == k].mean(axis=0) for k in range(20)]
    np.testing.assert_allclose(codewords, means, atol=1e-5)
    random = X - tf.gather(X, k_means.nearest(X, X[:20]))
    assert np.square(X - codewords[indices]).mean() < 0.8 * np.square(random).mean()


def test_an_empty_codeword_moves():
    """Half of the vectors are equal, so a start at random vectors has equal codewords."""
    x = tf.concat([tf.zeros([50, 3]), X[:50]], axis=0)
    assert len(set(k_means.nearest(x, k_means.lloyd(x, 30)).numpy())) == 30


def test_too_few_vectors_are_refused():
    with pytest.raises(
        ValueError, match="at least as many vectors.*Received: 300 vectors, num_codewords=301"
    ):
        k_means.lloyd(X, 301)


def test_far_rows_come_first_in_proportion_to_their_error():
    errors, valid = tf.constant([1.0, 2.0, 0.0, 5.0, 9.0]), tf.constant([True] * 4 + [False])

    @tf.function(autograph=False)
    def draw():
        return tf.map_fn(
            lambda number: k_means.far_rows(errors, valid, seeds.fold(seeds.base(0), number)),
            tf.range(600),
        )

    orders = draw().numpy()
    assert (orders[:, -1] == 4).all()
    first = np.bincount(orders[:, 0], minlength=5)
    assert first[2] == first[4] == 0
    expected = 600 * np.array([1, 2, 5]) / 8
    assert scipy.stats.chisquare(first[[0, 1, 3]], expected).pvalue > 1e-4


@pytest.mark.parametrize("offset", [100.0, 4096.0])
def test_an_offset_changes_no_distance(offset):
    random = np.random.default_rng(0)
    codewords = random.normal(scale=0.1, size=[64, 16]).astype(np.float32)
    vectors = random.normal(scale=0.1, size=[500, 16]).astype(np.float32)
    shift = np.float32(offset)
    shifted, moved = vectors + shift, codewords + shift  # Rounded, as data are.
    distances = np.square(shifted[:, None].astype(np.float64) - moved[None].astype(np.float64)).sum(
        -1
    )
    found = k_means.nearest(tf.constant(shifted), tf.constant(moved)).numpy()
    best = distances.min(axis=1)
    np.testing.assert_allclose(distances[np.arange(500), found], best, rtol=1e-3)
    several, errors = k_means.nearest_several(tf.constant(shifted), tf.constant(moved), 3)
    np.testing.assert_array_equal(several[:, 0], found)
    np.testing.assert_allclose(errors[:, 0], best, rtol=1e-2)
    assert k_means.nearest(tf.constant([[4096.6]]), tf.constant([[4096.0], [4097.0]])) == [1]
