"""Gumbel and logistic noise from the open interval, and noise conditioned on the sample it made."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.types import Seed, Tensor


def open_uniform(seed: Seed, shape: Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Uniform noise in the open interval (0, 1), so that its logarithms are finite.

    Args:
        seed: int32 [2].
        shape: Shape of the result.
        dtype: tf.float32 or tf.float64.
    """
    tiny = float(np.finfo(dtype.as_numpy_dtype).tiny)
    bounds = {"minval": tiny, "maxval": 1.0}
    return tf.random.stateless_uniform(shape, seed, **bounds, dtype=dtype, alg=seeds.algorithm())


def gumbel(seed: Seed, shape: Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Standard Gumbel noise, -log(-log u). The argmax of logits + noise is a categorical draw.

    Example:
        >>> from tf_discrete import seeds
        >>> gumbel(seeds.base(0), [2, 3]).shape
        TensorShape([2, 3])

    Reference:
        Maddison, Tarlow, Minka. A* sampling. 2014. arXiv:1411.0030.
    """
    return -tf.math.log(-tf.math.log(open_uniform(seed, shape, dtype)))


def logistic(seed: Seed, shape: Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Standard logistic noise, log u - log(1 - u): the difference of two Gumbel variables."""
    u = open_uniform(seed, shape, dtype)
    return tf.math.log(u) - tf.math.log1p(-u)


def condition_gumbel(noise: Tensor, logits: Tensor, one_hot: Tensor) -> tf.Tensor:
    """Turns free Gumbel noise into such as makes `one_hot` the argmax of logits + noise.

    The maximum is logsumexp(logits) + a Gumbel variable; every other perturbed logit is a Gumbel
    variable of its own location, truncated at that maximum.

    Args:
        noise: float [..., K], standard Gumbel variables.
        logits: float [..., K], -inf where masked.
        one_hot: float [..., K], broadcastable against `noise`; its category must not be masked.

    Returns:
        float noise of the broadcast shape, differentiable in `logits`; 0 at masked categories.

    Reference:
        Tucker et al. REBAR. 2017. arXiv:1703.07370, appendix; Maddison et al. 2014.
    """
    logits = tf.convert_to_tensor(logits)
    one_hot = tf.cast(one_hot, logits.dtype)
    log_probs = tf.nn.log_softmax(logits)
    finite = tf.math.is_finite(log_probs)
    safe = tf.where(finite, log_probs, 0.0)
    log_exponential = -tf.convert_to_tensor(noise)
    top = tf.reduce_sum(log_exponential * one_hot, axis=-1, keepdims=True)
    # With E standard exponential, -log(E_k / p_k + E_top) is Gumbel(log p_k) truncated at -log(E_top).
    others = -_log_add_exp(log_exponential - safe, top) - safe
    conditioned = tf.where(one_hot > 0.5, -top - safe, others)
    return tf.where(finite, conditioned, 0.0)


def condition_logistic(uniform: Tensor, logits: Tensor, bits: Tensor) -> tf.Tensor:
    """Turns uniform noise into logistic noise such that `bits` = [logits + noise > 0].

    Args:
        uniform: float [...] in (0, 1).
        logits: float [...]; +-inf for a certain bit.
        bits: float [...] of 0 and 1, broadcastable against `uniform`.

    Returns:
        float noise of the broadcast shape, differentiable in `logits`; 0 where the bit is certain.

    Reference:
        Tucker et al. REBAR. 2017. arXiv:1703.07370, appendix.
    """
    logits = tf.convert_to_tensor(logits)
    bits = tf.cast(bits, logits.dtype)
    # With sign = +-1, |logits + noise| has survival function sigmoid(sign * logits - t) / sigmoid(sign *
    # logits); setting it to a uniform v and solving for t gives the magnitude.
    sign = 2.0 * bits - 1.0
    finite = tf.math.is_finite(logits)
    safe = tf.where(finite, logits, tf.zeros_like(logits))
    magnitude = -tf.math.log(uniform) + tf.math.softplus(sign * safe + tf.math.log1p(-uniform))
    conditioned = sign * magnitude - safe
    return tf.where(finite, conditioned, tf.zeros_like(conditioned))


def _log_add_exp(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x, y) + tf.math.softplus(-tf.abs(x - y))
