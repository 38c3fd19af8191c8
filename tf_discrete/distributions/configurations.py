"""Lists of all joint configurations of some variables."""

from __future__ import annotations

import itertools

import tensorflow as tf

MAX_CONFIGURATIONS = 65536
"""Longer lists are refused."""


def joint_configurations(variables: int, categories: int) -> tf.Tensor:
    """Lists the joint configurations of N variables of K categories, int32 [K**N, N], the last one fastest.

    Raises:
        ValueError: There are more than `MAX_CONFIGURATIONS`.
    """
    count = categories**variables
    if count > MAX_CONFIGURATIONS:
        raise ValueError(
            f"At most {MAX_CONFIGURATIONS} joint configurations are enumerated. Use fewer variables or "
            f"categories, or an estimator that samples. Received: num_variables={variables}, "
            f"num_categories={categories}, which makes {count}"
        )
    return tf.constant(list(itertools.product(range(categories), repeat=variables)), tf.int32)
