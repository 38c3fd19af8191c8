"""The kind of values of paths: those of a tree, with any number of categories."""

import numpy as np
import pytest

from tf_discrete import distributions
from tf_discrete.distributions import LatentSpec, mixed_radix


def test_values_and_codes_are_those_of_a_tree():
    path, tree = LatentSpec(1, 50, "path:4,4,4"), LatentSpec(1, 64, "tree:4,4,4")
    found = np.arange(50)[:, np.newaxis]
    np.testing.assert_array_equal(path.uniform().one_hot(found), tree.uniform().one_hot(found))
    np.testing.assert_array_equal(path.digits(found), tree.digits(found))
    np.testing.assert_array_equal(path.join_digits(path.digits(found)), found)
    assert path.shape == path.logits_shape == (3, 4) and path.estimator_latents == "categorical"
    assert distributions.get("path:4,4,4") is path.kind and tree.estimator_latents == "tree:4,4,4"
    assert "path" not in distributions.names()


@pytest.mark.parametrize(
    "num_categories", [3, 63, 64, 65, 10**6 + 3, 2**25, 2**30, 2**31 - 1, 10**15]
)
def test_equal_branching_reaches_every_number(num_categories):
    branching = mixed_radix.equal_branching(num_categories)
    assert max(branching) <= mixed_radix.MAX_BALANCED
    children, depth = branching[0], len(branching)
    assert (children - 1) ** depth < num_categories <= children**depth
    assert distributions.path_latents(branching, num_categories).startswith("path:")


@pytest.mark.parametrize(
    "make, said",
    [
        (
            lambda: distributions.get("path"),
            "latents='path:32,32,32,32'.*path_latents.*latents='path'",
        ),
        (lambda: LatentSpec(2, 64, "path:4,4,4"), "Set num_variables=1, or take a tree"),
        (lambda: LatentSpec(1, 65, "path:4,4,4"), r"such as \(9, 9\)|such as \(3"),
        (lambda: LatentSpec(1, 16, "path:4,4,4"), "the root must need two children"),
        (lambda: distributions.path_latents((4, 4), 17), "must reach num_categories"),
        (lambda: distributions.path_latents([1]), "integers >= 2"),
        (lambda: LatentSpec(1, 2**32, "path:2147483647,3"), "at most 2147483647 logits"),
    ],
)
def test_bad_input_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
