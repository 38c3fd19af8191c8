import math

import numpy as np
import pytest

from tf_discrete.evaluation import information


def test_entropy_and_perplexity_by_hand():
    np.testing.assert_allclose(
        information.entropy([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]),
        [1.5 * math.log(2), 0.0],
        atol=1e-15,
    )
    np.testing.assert_allclose(information.perplexity([3, 3, 3, 3]), 4.0)
    np.testing.assert_allclose(information.perplexity([[1, 0], [6, 2]])[1], 4 / 3**0.75)
    assert np.isnan(information.perplexity([0, 0]))


def test_mutual_information_by_hand():
    informative = [[1.0, 0.0], [0.0, 1.0]]
    ignored = [[0.3, 0.7], [0.3, 0.7]]
    between = [[0.75, 0.25], [0.25, 0.75]]
    probs = np.stack([informative, ignored, between], axis=1)
    conditional = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    np.testing.assert_allclose(
        information.mutual_information(probs),
        [math.log(2), 0, math.log(2) - conditional],
        atol=1e-15,
    )


def test_mutual_information_of_nothing_is_nan():
    assert np.isnan(information.mutual_information(np.zeros([0, 3, 2]))).tolist() == [True] * 3


def test_mutual_information_needs_three_axes():
    with pytest.raises(ValueError, match=r"Stack \[1 - p, p\].*probs\.shape=\(2, 2\)"):
        information.mutual_information([[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize("counts", [[1, -1], [math.nan, 1.0]])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="finite and >= 0.*Received: minimum="):
        information.perplexity(counts)
