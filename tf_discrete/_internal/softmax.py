"""`softmax` over the last axis of tensors of any rank."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.types import Tensor

_MAX_RANK = 5
"""On processors where TensorFlow computes the softmax by oneDNN, a graph refuses tensors of more axes."""


def softmax(logits: Tensor) -> tf.Tensor:
    """Returns the softmax over the last axis, [..., K], of logits [..., K].

    Example:
        >>> softmax(tf.zeros([2, 1, 1, 1, 1, 1, 4])).numpy().ravel().tolist()
        [0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]
    """
    logits = tf.convert_to_tensor(logits)
    rank = logits.shape.rank
    if rank is not None and rank <= _MAX_RANK:
        return tf.nn.softmax(logits)
    shape = tf.shape(logits)
    found = tf.reshape(tf.nn.softmax(tf.reshape(logits, [-1, shape[-1]])), shape)
    return tf.ensure_shape(found, logits.shape)
