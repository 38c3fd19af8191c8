import numpy as np
import pytest

from tf_discrete import codes


def test_prefixes_by_their_definition():
    digits = np.random.RandomState(0).randint(3, size=[40, 4])
    found = codes.common_prefix(digits[:, np.newaxis], digits)
    for i, first in enumerate(digits):
        for j, second in enumerate(digits):
            same = [depth for depth in range(5) if (first[:depth] == second[:depth]).all()]
            assert found[i, j] == max(same)


@pytest.mark.parametrize(
    "first, second", [([[1, 2]], [[1]]), ([0.5], [1]), (3, 3), ([[1], [1, 2]], [1])]
)
def test_bad_input_is_refused(first, second):
    with pytest.raises(ValueError, match="Received"):
        codes.common_prefix(first, second)
