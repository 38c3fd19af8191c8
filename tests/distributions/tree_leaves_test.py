import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.distributions import mixed_radix
from tf_discrete.distributions.masked_logs import finite
from tf_discrete.distributions.tree_leaves import TreeLeaves

CASES = {
    "full": (24, (2, 3, 4), []),
    "ragged": (17, (2, 3, 4), []),
    "prime": (13, (3, 3, 2), []),
    "subtrees": (24, (2, 3, 4), [(0, 1), (1,)]),
    "leaves": (17, (2, 3, 4), [(1, 1, 0), (0, 0, 0), (0, 0, 1), (0, 0)]),
    "a subtree by its leaves": (24, (2, 3, 4), [(0, 1, digit) for digit in range(4)]),
}


def allowed_codes(num_categories, branching, masked):
    """By the definition: which of the first K paths begin with no masked prefix."""
    paths = list(itertools.product(*map(range, branching)))[:num_categories]
    return [
        code
        for code, path in enumerate(paths)
        if not any(path[: len(prefix)] == tuple(prefix) for prefix in masked)
    ]


@pytest.mark.parametrize("case", CASES)
def test_counts_of_every_node(case):
    num_categories, branching, masked = CASES[case]
    leaves, codes = TreeLeaves(*CASES[case]), allowed_codes(*CASES[case])
    assert leaves.num_allowed == len(codes)
    digits = np.asarray(mixed_radix.to_digits(codes, branching))
    inside = {tuple(path[:depth]) for path in digits for depth in range(len(branching))}
    for depth in range(len(branching)):
        for prefix in itertools.product(*map(range, branching[:depth])):
            if prefix not in inside:
                continue
            one_hot = tf.one_hot(np.array(prefix, np.int64), 4)
            node = leaves.node(one_hot)
            below = digits[(digits[:, :depth] == prefix).all(axis=1), depth]
            expected = np.bincount(below, minlength=branching[depth])
            np.testing.assert_array_equal(leaves.counts(depth, node), expected)


@pytest.mark.parametrize("case", CASES)
def test_categories_and_the_uniform_distribution(case):
    leaves, codes = TreeLeaves(*CASES[case]), allowed_codes(*CASES[case])
    np.testing.assert_array_equal(leaves.enumerate(), codes)
    z = tf.one_hot(mixed_radix.to_digits(codes, leaves.branching), max(leaves.branching))
    log_p = sum(
        tf.reduce_sum(
            z[:, depth] * finite(tf.nn.log_softmax(leaves.uniform_logits(depth, z[:, :depth]))), -1
        )
        for depth in range(len(leaves.branching))
    )
    np.testing.assert_allclose(log_p, -np.log(len(codes)), rtol=1e-5)


def test_nodes_of_very_many_leaves():
    leaves = TreeLeaves(2**62 - 2, (2**10,) * 6 + (4,), masked=[(1023,) * 6, (0,) * 7])
    assert leaves.num_allowed == 2**62 - 2 - 2 - 1
    assert leaves.counts(0, 0).numpy()[[0, 1, 1023]].tolist() == [2**52 - 1, 2**52, 2**52 - 4]
    assert leaves.counts(6, 2**60 - 2).numpy().tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((25, (2, 3, 4)), r"such as \(25,\). Received: branching=\(2, 3, 4\), num_categories=25"),
        ((12, (2, 3, 4)), "the root must need two children"),
        ((10**9, (10, 10)), "such as .64, 64, 64, 64, 64."),
        ((2**63, (2, 3)), "num_categories must be at most"),
        (
            (24, (2, 3, 4), [(2,)]),
            r"Give 1 to 3 digits below \(2, 3, 4\). Received: masked=.*, of which \(2,\)",
        ),
        ((24, (2, 3, 4), [()]), "of which ()"),
        ((24, (2, 3, 4), [(0, 0, 0, 0)]), "1 to 3 digits"),
        ((24, (2, 3, 4), [(0, 0.5)]), "must be prefixes"),
        ((17, (2, 3, 4), [(1, 2, 0)]), "nodes that the tree has"),
        ((24, (2, 3, 4), [(0,), (1,)]), "At least one category must be left"),
    ],
)
def test_bad_input_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        TreeLeaves(*arguments)
