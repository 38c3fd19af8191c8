"""`unimix`: categorical logits whose probabilities have a floor."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import checks
from tf_discrete._internal.softmax import softmax
from tf_discrete.types import Tensor


def unimix(logits: Tensor, fraction: float = 0.01) -> tf.Tensor:
    """Mixes a uniform distribution into the probabilities of categorical logits.

        log((1 - fraction) * softmax(logits) + fraction / K)

    No category has a probability below fraction / K, so a KL between two such distributions is at most
    log(K / fraction) nats for each variable, and its gradient stays finite. Apply it once to the logits of
    posterior and prior, and use the result everywhere: to sample, in the KL and in the entropy.

    Args:
        logits: float [..., K], unnormalised, -inf where masked. Masked categories stay masked, and K counts
            the others.
        fraction: Share of the uniform distribution, in [0, 1]. Default: 0.01, that of DreamerV3.

    Returns:
        logits: [..., K], normalised, of at least float32.

    Raises:
        ValueError: The fraction is out of range, or the logits have no axis of categories.

    Example:
        >>> mixed = unimix(tf.constant([100.0, 0.0, 0.0, 0.0]), fraction=0.04)
        >>> tf.exp(mixed).numpy().round(3).tolist()
        [0.9700000286102295, 0.009999999776482582, 0.009999999776482582, 0.009999999776482582]

    Reference:
        Hafner, Pasukonis, Ba, Lillicrap. Mastering diverse domains through world models. 2023.
        arXiv:2301.04104.
    """
    fraction = checks.fraction("fraction", fraction)
    logits = types.floats("logits", logits)
    if logits.shape.rank == 0 or (logits.shape.rank is not None and logits.shape[-1] == 0):
        raise ValueError(
            f"logits must be [..., num_categories]. Received: logits.shape={logits.shape}"
        )
    if fraction == 0:
        return tf.nn.log_softmax(logits)
    allowed = logits > -float("inf")
    count = tf.reduce_sum(tf.cast(allowed, logits.dtype), axis=-1, keepdims=True)
    share = types.cast(fraction, logits.dtype)
    probs = (1 - share) * softmax(logits) + share / count
    # Under the mask log(1), so that no gradient of log(0) is multiplied by 0.
    log_probs = tf.math.log(tf.where(allowed, probs, tf.ones_like(probs)))
    return tf.where(allowed, log_probs, types.cast(-float("inf"), logits.dtype))
