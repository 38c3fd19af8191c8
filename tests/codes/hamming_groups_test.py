"""The two passes of large searches against the one pass of small ones."""

import numpy as np
import pytest

from tf_discrete.codes import hamming, hamming_groups

RANDOM = np.random.default_rng(2)


@pytest.fixture
def small(monkeypatch):
    """Groups and blocks so small that little data have many of them."""
    for name, value in {"GROUP": 4, "BLOCK": 16, "QUERIES": 3}.items():
        monkeypatch.setattr(hamming_groups, name, value)


@pytest.mark.parametrize("num_words", [1, 3])
@pytest.mark.parametrize("values", [2, 2**62], ids=["ties", "none"])
def test_two_passes_find_what_one_finds(small, monkeypatch, num_words, values):
    """With many ties, a rest that fills no block, and a last chunk of queries that is not whole."""
    words = RANDOM.integers(0, values, [num_words, 16 * 9 + 5], dtype=np.uint64)
    queries = RANDOM.integers(0, values, [7, num_words], dtype=np.uint64)
    packed = [np.ascontiguousarray(a).view(np.uint8) for a in (queries, words.T)]
    for k in (1, 5, 36):
        expected = hamming.hamming_top_k(*packed, k, block=11)
        distances, indices = hamming_groups.top_k(queries, words, k)
        np.testing.assert_array_equal(distances, expected.distances)
        np.testing.assert_array_equal(indices, expected.indices)
        with monkeypatch.context() as patch:
            patch.setattr(hamming_groups, "LEAST_PAIRS", 1)
            found = hamming.hamming_top_k(*packed, k)
            with pytest.raises(ValueError, match="block must be .*Received: block=0"):
                hamming.hamming_top_k(*packed, k, block=0)
        np.testing.assert_array_equal(found.indices, expected.indices)
        assert found.distances.dtype == np.int32 and found.indices.dtype == np.int64


@pytest.mark.parametrize(
    "queries, codes, k, expected",
    [
        (100, 100_000, 10, True),
        (8, 1_000_000, 10, False),  # Few pairs.
        (300, 1_000_000, 20_000, False),  # More neighbours than groups.
        (10**6, 60_000, 1, False),  # No whole block.
        (100, 65_536 + 300, 513, False),  # As many groups as the whole block has, and no more.
    ],
)
def test_which_searches_are_worth_it(queries, codes, k, expected):
    assert hamming_groups.is_worthwhile(queries, codes, k) == expected


@pytest.mark.parametrize("queries", [1, 15, 16, 17, 100, 128, 129, 1000])
def test_chunks_are_of_one_size_and_of_few_sizes(queries):
    size = hamming_groups._chunk_size(queries)
    chunks = -(-queries // size)
    assert size <= hamming_groups.QUERIES and (size < 16 or size % 8 == 0)
    assert chunks == -(-queries // hamming_groups.QUERIES)
    assert chunks * size - queries < 8 * chunks
