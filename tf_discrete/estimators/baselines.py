"""Baselines of the score function: what an objective is compared with before it weighs a gradient."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.estimators.base import mean
from tf_discrete.types import Reduction, Tensor


def leave_one_out(values: Tensor, reduce: Reduction | None = mean) -> tf.Tensor:
    """Credit of each sample: the reduced objective less what it would be without that sample.

    'Without' means that the sample's value is replaced by the mean of the others. For `mean` the
    credit is (f_s - mean of the others) / S; for `log_mean_exp` it is VIMCO's learning signal; for None
    (samples kept apart) f_s - mean of the others.

    Args:
        values: float [S, *B], S >= 2.
        reduce: the reduction of the objective.

    Returns:
        credit: float [S, *B], no gradient.

    Example:
        >>> leave_one_out(tf.constant([1.0, 3.0])).numpy().tolist()
        [-1.0, 1.0]

    Reference:
        Mnih, Rezende. Variational inference for Monte Carlo objectives. 2016. arXiv:1602.06725.
    """
    values = tf.stop_gradient(values)
    count = tf.cast(tf.shape(values)[0], values.dtype)
    others = (tf.reduce_sum(values, axis=0, keepdims=True) - values) / (count - 1.0)
    if reduce is None:
        return values - others
    if reduce is mean:
        return (values - others) / count
    one = tf.eye(tf.shape(values)[0], dtype=tf.bool)
    one = tf.reshape(
        one, tf.concat([tf.shape(one), tf.ones([values.shape.rank - 1], tf.int32)], axis=0)
    )
    replaced = tf.where(one, others[:, tf.newaxis], values[:, tf.newaxis])
    return reduce(values)[tf.newaxis] - reduce(replaced)
