import numpy as np
import pytest

from tf_discrete.distributions import cluster_order


def test_separate_clusters_are_subtrees():
    random = np.random.RandomState(0)
    centres = 100 * random.normal(size=[4, 8])
    label = random.permutation(np.repeat(np.arange(4), 9))
    vectors = centres[label] + random.normal(size=[36, 8])
    order = cluster_order(vectors, (4, 3, 3))
    np.testing.assert_array_equal(np.sort(order), np.arange(36))
    below = label[order].reshape(4, 9)
    assert (below == below[:, :1]).all()


def test_it_depends_on_nothing_but_the_vectors():
    vectors = np.random.RandomState(1).normal(size=[30, 3])
    order = cluster_order(vectors, (5, 6))
    np.testing.assert_array_equal(order, cluster_order(vectors, (5, 6)))
    np.testing.assert_array_equal(cluster_order(np.ones([6, 2]), (2, 3)), np.arange(6))
    close = np.linalg.norm(vectors[order[:-1]] - vectors[order[1:]], axis=1).mean()
    far = np.linalg.norm(vectors[:-1] - vectors[1:], axis=1).mean()
    assert close < 0.8 * far


@pytest.mark.parametrize(
    "vectors, branching, said",
    [
        ([[1.0], [np.nan]], (2,), "must be finite"),
        ([1.0, 2.0], (2,), r"vectors.shape=\(2,\)"),
        (np.zeros([5, 2]), (2, 2), r"Set num_categories=4, or branching=\(5,\)"),
    ],
)
def test_bad_input_is_refused(vectors, branching, said):
    with pytest.raises(ValueError, match=said):
        cluster_order(vectors, branching)
