"""Top-p sampling: logits without the improbable categories."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete.types import Tensor


def keep_top_p(logits: Tensor, top_p: Tensor) -> tf.Tensor:
    """Masks all but the most probable categories, the fewest whose probabilities reach `top_p`.

    Those as probable as the last of them are kept, too.

    Args:
        logits: float [..., K], at least float32.
        top_p: Scalar tensor in (0, 1]; at 1 nothing is masked.

    Returns:
        logits: float [..., K], -inf where masked.

    Example:
        >>> kept = keep_top_p(tf.math.log([0.5, 0.3, 0.2]), tf.constant(0.7))
        >>> (kept > -math.inf).numpy()
        array([ True,  True, False])

    Reference:
        Holtzman, Buys, Du, Forbes, Choi. The curious case of neural text degeneration. 2019.
        arXiv:1904.09751.
    """

    def masked() -> tf.Tensor:
        ordered = tf.sort(tf.nn.softmax(logits), direction="DESCENDING")
        before = tf.cumsum(ordered, axis=-1, exclusive=True)
        kept = tf.where(before < tf.cast(top_p, ordered.dtype), ordered, math.inf)
        least = tf.reduce_min(kept, axis=-1, keepdims=True)
        return tf.where(tf.nn.softmax(logits) >= least, logits, -math.inf)

    return tf.cond(top_p < 1.0, masked, lambda: logits)
