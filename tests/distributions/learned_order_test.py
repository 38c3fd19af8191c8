import itertools

import numpy as np
import pytest

from tf_discrete.distributions import learned_order


def _sum(order, scores, branching):
    """The sum over all depths of the scores of the digits that categories have."""
    digits = np.stack(np.unravel_index(np.argsort(order), branching))
    return sum(
        array[np.arange(len(array)), own].sum() for array, own in zip(scores, digits, strict=True)
    )


def _step_by_step(scores, branching):
    """The rule of the docstring, one category at a time."""
    groups = [list(range(len(scores[0])))]
    for array, children in zip(scores, branching, strict=True):
        parts = []
        for group in groups:
            own = array[group] - array[group].mean(axis=0)
            left, own_parts = dict(enumerate(group)), [[] for _ in range(children)]
            while left:
                free = [j for j in range(children) if len(own_parts[j]) < len(group) // children]

                def regret(i, own=own, free=free):
                    best = sorted(own[i][free])
                    return best[-1] - best[-2] if len(best) > 1 else 0.0

                first = max(left, key=lambda i: (regret(i), -i))
                own_parts[max(free, key=lambda j: (own[first][j], -j))].append(left.pop(first))
            parts += map(sorted, own_parts)
        groups = parts
    return np.concatenate(groups)


@pytest.mark.parametrize("branching", [(6,), (2, 3), (3, 2), (4, 3, 2), (2, 2, 2)])
def test_it_follows_the_rule(branching):
    random = np.random.RandomState(sum(branching))
    size = int(np.prod(branching))
    for scale in (10.0, 1.0):  # Rounded: with ties.
        scores = [np.round(scale * random.normal(size=[size, b])) for b in branching]
        np.testing.assert_array_equal(
            learned_order(scores, branching), _step_by_step(scores, branching)
        )


@pytest.mark.parametrize("branching", [(2,), (2, 3)])
def test_a_cut_in_two_has_the_largest_sum_of_all(branching):
    size = int(np.prod(branching))
    for seed in range(20):
        root = np.random.RandomState(seed).normal(size=[size, 2])
        scores = [root, *[np.zeros([size, b]) for b in branching[1:]]]
        best = max(
            _sum(np.array(order), scores, branching)
            for order in itertools.permutations(range(size))
        )
        found = _sum(learned_order(scores, branching), scores, branching)
        np.testing.assert_allclose(found, best, rtol=1e-12)


def test_planted_clusters_are_subtrees():
    """Classes of one cluster look alike, so that a classifier gives them the same digits."""
    random = np.random.RandomState(0)
    label = random.permutation(np.repeat(np.arange(5), 8))
    root = 3 * random.normal(size=[5, 5])[label] + 0.01 * random.normal(size=[40, 5])
    order = learned_order([root, random.normal(size=[40, 8])], (5, 8))
    np.testing.assert_array_equal(np.sort(order), np.arange(40))
    below = label[order].reshape(5, 8)
    assert (below == below[:, :1]).all()


def test_an_order_that_is_right_stays():
    """Of scores of a classifier that is right about every digit."""
    order = np.random.RandomState(1).permutation(24)
    digits = np.stack(np.unravel_index(np.argsort(order), (4, 3, 2)))
    scores = [np.log(0.01 + np.eye(b)[own]) for b, own in zip((4, 3, 2), digits, strict=True)]
    np.testing.assert_array_equal(learned_order(scores, (4, 3, 2)), order)


def test_a_child_that_suits_all_decides_nothing():
    scores = np.random.RandomState(2).normal(size=[12, 4])
    shifted = scores + [0.0, 50.0, -50.0, 3.0]
    below = np.zeros([12, 3])
    np.testing.assert_array_equal(
        learned_order([scores, below], (4, 3)), learned_order([shifted, below], (4, 3))
    )
    np.testing.assert_array_equal(
        learned_order([np.ones([6, 2]), np.ones([6, 3])], (2, 3)), np.arange(6)
    )


@pytest.mark.parametrize(
    "scores, said",
    [
        (np.zeros([4, 2]), "a list of 2 arrays"),
        ([np.zeros([4, 2])], "a list of 2 arrays"),
        (
            [np.zeros([4, 2]), np.zeros([4, 3])],
            r"scores\[1\].shape=\(4, 3\), where \(4, 2\) is due",
        ),
        ([np.zeros([4, 2]), np.full([4, 2], -np.inf)], "must be finite"),
        (["a", "b"], "must be finite"),
    ],
)
def test_bad_input_is_refused(scores, said):
    with pytest.raises(ValueError, match=said):
        learned_order(scores, (2, 2))
