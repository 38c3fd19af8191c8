"""Hamming search against brute force over unpacked bits: distances, order, ties, k, radius, blocks."""

import re

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import codes

RANDOM = np.random.default_rng(1)


def packed(count, num_bytes):
    """Codes with many ties: few distinct bytes."""
    return RANDOM.choice(np.uint8([0, 1, 3, 128, 255]), [count, num_bytes])


def brute_force(queries, database):
    """Distances [Q, M] and the order by (distance, index)."""
    bits = [np.unpackbits(array, axis=1).astype(int) for array in (queries, database)]
    distances = (bits[0][:, np.newaxis] != bits[1]).sum(-1)
    order = np.lexsort([np.broadcast_to(np.arange(len(database)), distances.shape), distances])
    return distances, order


@pytest.mark.parametrize("num_bytes", [1, 3, 8, 9, 33])
def test_distances_are_numbers_of_differing_bits(num_bytes):
    queries, database = packed(5, num_bytes), packed(40, num_bytes)
    found = codes.hamming_distances(queries, database)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, brute_force(queries, database)[0])


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
@pytest.mark.parametrize("k", [1, 5, 150])
@pytest.mark.parametrize("num_bytes", [1, 8, 10])
def test_top_k_is_brute_force_with_ties_by_index(num_bytes, k, block):
    queries, database = packed(6, num_bytes), packed(150, num_bytes)
    distances, order = brute_force(queries, database)
    found = codes.hamming_top_k(queries, database, k, block=block)
    np.testing.assert_array_equal(found.indices, order[:, :k])
    np.testing.assert_array_equal(
        found.distances, np.take_along_axis(distances, order[:, :k], axis=1)
    )


@pytest.mark.parametrize("block", [1, 64, 1000])
@pytest.mark.parametrize("radius", [0, 4, 100])
def test_radius_is_brute_force(radius, block):
    queries, database = packed(6, 3), packed(150, 3)
    queries[2] = [85, 85, 85]  # Nothing is near it.
    distances, order = brute_force(queries, database)
    found = codes.hamming_radius(queries, database, radius, block=block)
    assert len(found.splits) == 7
    for query in range(6):
        expected = [i for i in order[query] if distances[query, i] <= radius]
        near, indices = found.of(query)
        assert indices.tolist() == expected
        assert near.tolist() == distances[query, expected].tolist()
    assert len(found.of(2)[0]) == (150 if radius == 100 else 0)


def test_codes_of_many_words_are_counted_without_overflow():
    zeros, ones = np.zeros([1, 10_000], np.uint8), np.full([1, 10_000], 255, np.uint8)
    assert codes.hamming_distances(zeros, ones).tolist() == [[80_000]]
    assert codes.hamming_distances(zeros[:, :8000], ones[:, :8000]).tolist() == [[64_000]]


def test_the_tensor_search_equals_the_array_search_and_can_be_exported(tmp_path):
    queries, database = packed(6, 5), packed(150, 5)
    module = tf.Module()
    module.search = tf.function(
        lambda q: codes.hamming_top_k_tensor(q, database, 20),
        input_signature=[tf.TensorSpec([None, 5], tf.uint8)],
    )
    tf.saved_model.save(module, str(tmp_path))
    expected = codes.hamming_top_k(queries, database, 20)
    for search in (module.search, tf.saved_model.load(str(tmp_path)).search):
        distances, indices = search(queries)
        np.testing.assert_array_equal(distances, expected.distances)
        np.testing.assert_array_equal(indices, expected.indices)


def test_the_tensor_search_compiles():
    queries, database = packed(4, 5), packed(50, 5)
    search = tf.function(codes.hamming_top_k_tensor, jit_compile=True, autograph=False)
    distances, _ = search(tf.constant(queries), tf.constant(database), 7)
    np.testing.assert_array_equal(distances, codes.hamming_top_k(queries, database, 7).distances)


@pytest.mark.parametrize("search", [codes.hamming_top_k, codes.hamming_radius])
def test_bad_searches_are_refused(search):
    queries, database = packed(2, 4), packed(9, 4)
    with pytest.raises(ValueError, match=r"at least one query.*queries.shape=\(0, 4\)"):
        search(queries[:0], database, 1)
    with pytest.raises(ValueError, match=r"same model.*queries.shape=\(2, 3\)"):
        search(queries[:, :3], database, 1)
    with pytest.raises(ValueError, match=r"database must be packed codes.*database.dtype=int32"):
        search(queries, database.astype(np.int32), 1)
    with pytest.raises(ValueError, match="block must be at least 1.*block=0"):
        search(queries, database, 1, block=0)


@pytest.mark.parametrize("search", [codes.hamming_top_k, codes.hamming_top_k_tensor])
@pytest.mark.parametrize("k", [0, 10])
def test_k_must_fit_the_database(search, k):
    with pytest.raises(ValueError, match=rf"at most the number of codes searched, 9.*k={k}"):
        search(packed(2, 4), packed(9, 4), k)


@pytest.mark.parametrize("shapes", [((2, 3), (9, 4)), ((4,), (9, 4)), ((2, 4), (4,))])
def test_the_tensor_search_refuses_shapes_of_other_codes(shapes):
    queries, database = (np.zeros(shape, np.uint8) for shape in shapes)
    message = rf"same model.*{re.escape(f'queries.shape={shapes[0]}, database.shape={shapes[1]}')}"
    with pytest.raises(ValueError, match=message):
        codes.hamming_top_k_tensor(queries, database, 1)


def test_the_tensor_search_takes_shapes_that_are_not_known():
    queries, database = packed(4, 5), packed(50, 5)
    signature = [
        tf.TensorSpec(None, tf.uint8),
        tf.TensorSpec(None, tf.uint8),
        tf.TensorSpec([], tf.int32),
    ]
    search = tf.function(codes.hamming_top_k_tensor, input_signature=signature, autograph=False)
    expected = codes.hamming_top_k(queries, database, 7)
    np.testing.assert_array_equal(search(queries, database, 7)[1], expected.indices)


def test_the_radius_must_not_be_negative():
    with pytest.raises(ValueError, match="Received: radius=-1"):
        codes.hamming_radius(packed(2, 4), packed(9, 4), -1)
