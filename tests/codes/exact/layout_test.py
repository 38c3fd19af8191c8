"""Words, keys and distances of a layout, and the rings around a key."""

import numpy as np
import pytest

from tests.codes.exact import searched
from tf_discrete import codes
from tf_discrete.codes.exact import balance, layout, rings

GENERATOR = np.random.default_rng(2)


@pytest.mark.parametrize("sizes", [*searched.SIZES, (5, 1000), (1, 3)], ids=str)
def test_words_hold_the_code(sizes):
    num_variables, num_categories = sizes
    items = GENERATOR.integers(0, num_categories, [60, num_variables])
    count = layout.num_substrings(num_variables, num_categories, 1000)
    made = layout.Layout(
        num_variables,
        num_categories,
        tuple(GENERATOR.permutation(num_variables).tolist()),
        layout.even_lengths(num_variables, count),
    )
    packed = codes.pack(items, num_categories)
    words = made.words(packed)
    np.testing.assert_array_equal(made.packed(words), packed)
    differing = (items[:1] != items).sum(axis=1)
    np.testing.assert_array_equal(made.distances(words ^ words[:1]), differing)
    start = 0
    for table, length in enumerate(made.lengths):
        part = items[:, list(made.order[start : start + length])]
        start += length
        bits = codes.bits_per_variable(num_categories)
        wanted = (part << (bits * np.arange(length - 1, -1, -1))).sum(axis=1)
        np.testing.assert_array_equal(made.keys(words, table), wanted)
    by_word = np.lexsort(words.T[::-1])
    first = made.keys(words[by_word], 0)
    assert (first[1:] >= first[:-1]).all()


@pytest.mark.parametrize(("length", "width"), [(5, 1), (3, 2), (2, 3)])
def test_rings_are_all_keys_at_a_distance(length, width):
    everything = []
    for ring in range(length + 1):
        masks = rings.ring_masks(length, width, ring)
        assert len(masks) == rings.ring_size(length, width, ring)
        fields = (masks[:, np.newaxis] >> (width * np.arange(length))) & (2**width - 1)
        assert ((fields != 0).sum(axis=1) == ring).all()
        everything.extend(masks.tolist())
    assert sorted(everything) == list(range(2 ** (length * width)))


def test_variables_that_repeat_one_another_go_apart():
    single = GENERATOR.integers(0, 2, [4000, 16])
    repeated = np.concatenate([single, single ^ (GENERATOR.random(single.shape) < 0.02)], axis=1)
    order, lengths = balance.balanced_order(repeated, 2)
    assert lengths == (16, 16)
    assert sorted(i % 16 for i in order[:16]) == list(range(16))
    paired = tuple(i // 2 + 16 * (i % 2) for i in range(32))
    assert 0 < fullness(repeated, order, lengths) < 0.2 * fullness(repeated, paired, lengths)


def fullness(items, order, lengths):
    """The mean of 4**-distance over pairs of codes, summed over the substrings; small is selective."""
    one, other = GENERATOR.integers(0, len(items), [2, 4000])
    differing = items[one] != items[other]
    ends = np.cumsum(lengths)
    parts = [list(order[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
    return sum((0.25 ** differing[:, part].sum(axis=1)).mean() for part in parts)


def test_equal_codes_alone_can_be_assigned():
    order, lengths = balance.balanced_order(np.zeros([1, 5], int), 2)
    assert sorted(order) == list(range(5)) and sum(lengths) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((3, 2, (0, 1, 1), (3,)), "permutation"),
        ((3, 2, (0, 1, 2), (2,)), "add up"),
        ((30, 2, tuple(range(30)), (30,)), "at most 26 bits"),
    ],
)
def test_layouts_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        layout.Layout(*options)


def test_too_many_categories_for_a_key():
    with pytest.raises(ValueError, match=r"at most 2\*\*26 categories"):
        layout.num_substrings(4, 2**30, 1000)
