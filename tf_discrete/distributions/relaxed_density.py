"""The densities of relaxed discrete variables, in log space: pure functions, for both kinds of latents."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import checks
from tf_discrete.types import Tensor


def exp_relaxed_categorical_log_prob(
    log_value: Tensor, logits: Tensor, temperature: Tensor
) -> tf.Tensor:
    """Computes the log-density of the logarithm of a relaxed one-hot variable.

    Masked categories (logits of -inf) are no dimension of the density.

    Args:
        log_value: float [..., K], log z with z on the simplex.
        logits: float [..., K], broadcastable against `log_value`.
        temperature: positive float, or broadcastable against `logits[..., 0]`.

    Returns:
        log_prob: float [...], in nats.

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix C.3.
    """
    temperature = temperature_like(temperature, logits[..., 0])[..., tf.newaxis]
    shape = tf.broadcast_dynamic_shape(tf.shape(logits), tf.shape(log_value))
    logits = tf.broadcast_to(logits, shape)
    allowed = tf.math.is_finite(logits)
    log_probs = tf.nn.log_softmax(logits)
    score = tf.where(allowed, log_probs, 0.0) - temperature * tf.where(allowed, log_value, 0.0)
    normaliser = tf.reduce_logsumexp(
        tf.where(allowed, score, tf.cast(-float("inf"), score.dtype)), axis=-1
    )
    k = tf.reduce_sum(tf.cast(allowed, score.dtype), axis=-1)
    scores = tf.reduce_sum(tf.where(allowed, score, 0.0), axis=-1)
    scale = tf.math.lgamma(k) + (k - 1.0) * tf.math.log(temperature[..., 0])
    return scale + scores - k * normaliser


def relaxed_bernoulli_logit_log_prob(
    logit_value: Tensor, logits: Tensor, temperature: Tensor
) -> tf.Tensor:
    """Computes the log-density of the log-odds of a relaxed bit.

    A certain bit (a logit of +-inf) is no dimension of the density; elsewhere no finite density reaches it.

    Args:
        logit_value: float [...], logit(z) with z in (0, 1).
        logits: float, broadcastable against `logit_value`.
        temperature: positive float, or broadcastable against `logits`.

    Returns:
        log_prob: float [...], in nats.

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix B.
    """
    temperature = temperature_like(temperature, logits)
    free, inside = tf.math.is_finite(logits), tf.math.is_finite(logit_value)
    scaled = temperature * tf.where(inside, logit_value, 0.0) - tf.where(free, logits, 0.0)
    score = tf.math.log(temperature) - scaled - 2.0 * tf.math.softplus(-scaled)
    outside = tf.cast(-float("inf"), score.dtype)
    certain = tf.where(tf.equal(logit_value, logits), tf.zeros_like(score), outside)
    return tf.where(free, tf.where(inside, score, outside), certain)


def temperature_like(temperature: Tensor, like: tf.Tensor) -> tf.Tensor:
    """Returns a positive number, or a tensor that broadcasts against `like`."""
    if isinstance(checks.plain(temperature), (bool, int, float, str)):
        return types.cast(checks.positive("temperature", temperature), like.dtype)
    found = types.cast(types.floats("temperature", temperature), like.dtype)
    try:
        tf.broadcast_static_shape(found.shape, like.shape)
    except ValueError:
        checks.refuse("temperature", f"broadcastable against {like.shape}", temperature)
    return found
