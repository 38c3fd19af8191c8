"""Bits of gates: 1 where a gate lets anything through."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.distributions.bernoulli import Bernoulli
from tf_discrete.types import Tensor


class Gates(Bernoulli):
    """Bernoulli variables that are read from gates in [0, 1]: a gate is on unless it is exactly 0.

    Their relaxed values have an atom at 0, so that no threshold in between decides. No kind of latents of
    its own: it is the distribution of the codes of `hard_concrete` and `discrete_vae`.

    Args:
        logits: float [..., N], log-odds that a gate is on. Computed in at least float32.

    Example:
        >>> Gates(tf.zeros([3])).code(tf.constant([0.0, 0.01, 1.0])).numpy().tolist()
        [0, 1, 1]
    """

    def code(self, value: Tensor) -> tf.Tensor:
        """Converts gates to codes, int32 [..., N]."""
        return tf.cast(value > 0.0, tf.int32)
