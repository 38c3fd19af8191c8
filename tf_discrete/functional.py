"""The estimators as plain functions of logits, for those who want a function and not a layer.

Every function takes a seed: an int32 [2] tensor (`tf_discrete.seeds`) or an int. The same seed gives the
same sample, so fold the step into it in a training loop.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_discrete import seeds, types
from tf_discrete._internal import checks
from tf_discrete._internal.softmax import softmax
from tf_discrete.distributions import Categorical, noise
from tf_discrete.estimators import backward, semantic_hashing
from tf_discrete.estimators.base import check_temperature
from tf_discrete.estimators.semantic_hashing import saturating_sigmoid as saturating_sigmoid
from tf_discrete.schedules.scheduled import SMALLEST, TOO_SMALL
from tf_discrete.types import SeedLike, Tensor


def gumbel_softmax(
    logits: Tensor, temperature: float | Tensor = 1.0, hard: bool = False, *, seed: SeedLike
) -> tf.Tensor:
    """Samples from the Gumbel-Softmax relaxation over the last axis.

    Args:
        logits: float [..., K], unnormalised, -inf where masked.
        temperature: Positive float. Default: 1.0.
        hard: Bool, whether to return the one-hot sample with the gradient of the relaxed one. Default:
            False.
        seed: Int or int32 [2].

    Returns:
        z: [..., K] in the dtype of `logits`, on the simplex; computed in at least float32.

    Raises:
        ValueError: a number that is not positive, or too small for the dtype.

    Example:
        >>> z = gumbel_softmax(tf.zeros([2, 3]), temperature=0.5, hard=True, seed=0)
        >>> tf.reduce_sum(z, axis=-1).numpy().tolist()
        [1.0, 1.0]

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """
    wide, logits = _wide(logits, "[..., num_categories]"), tf.convert_to_tensor(logits)
    _check_temperature(temperature, wide, logits.dtype)
    hard = checks.flag("hard", hard)
    gumbel = noise.gumbel(seeds.convert(seed), tf.shape(wide), wide.dtype)
    soft = softmax((wide + gumbel) / types.cast(temperature, wide.dtype))
    return tf.cast(backward.straight_through(_one_hot(soft), soft) if hard else soft, logits.dtype)


def straight_through(
    logits: Tensor, temperature: float | Tensor = 1.0, *, seed: SeedLike
) -> tf.Tensor:
    """Samples one-hot values from softmax(logits), with the gradient of softmax(logits / temperature).

    Args:
        logits: float [..., K], unnormalised, -inf where masked.
        temperature: Positive float, temperature of the backward pass. Default: 1.0.
        seed: Int or int32 [2].

    Returns:
        z: one-hot [..., K] in the dtype of `logits`.

    Raises:
        ValueError: a number that is not positive, or too small for the dtype.

    Example:
        >>> straight_through(tf.constant([[9.0, -9.0]]), seed=0).numpy().tolist()
        [[1.0, 0.0]]

    Reference:
        Bengio, Leonard, Courville. Estimating or propagating gradients. 2013. arXiv:1308.3432.
    """
    wide, logits = _wide(logits, "[..., num_categories]"), tf.convert_to_tensor(logits)
    _check_temperature(temperature, wide, logits.dtype)
    hard = Categorical(wide[tf.newaxis]).sample(seeds.convert(seed), 1)[0, 0]
    soft = softmax(wide / types.cast(temperature, wide.dtype))
    return tf.cast(backward.straight_through(hard, soft), logits.dtype)


def semantic_hash(
    logits: Tensor,
    noise_stddev: float = 1.0,
    discrete_fraction: float = 0.5,
    training: bool = True,
    *,
    flip_probability: float = 0.0,
    seed: SeedLike | None = None,
) -> tf.Tensor:
    """Turns logits into bits by improved semantic hashing: noisy in training, the sign at inference.

    In training Gaussian noise is added before the saturating sigmoid, which drives the logits to their
    extremes; a fraction of the elements is rounded to bits and takes the gradient straight through.

    Args:
        logits: float [..., N].
        noise_stddev: Standard deviation of the Gaussian noise. Default: 1.0.
        discrete_fraction: Probability that an element is rounded, in [0, 1]. Default: 0.5.
        training: Bool, whether to add noise and to round a fraction. Default: True.
        flip_probability: Probability in [0, 0.5) that a rounded bit is flipped. Default: 0.0.
        seed: Int or int32 [2]; needed in training only.

    Returns:
        bits: [..., N] in [0, 1] in the dtype of `logits`; exactly 0 or 1 outside training.

    Raises:
        ValueError: No seed in training, a fraction or a probability is out of range, or noise is negative.

    Example:
        >>> semantic_hash(tf.constant([-2.0, 0.3]), training=False).numpy().tolist()
        [0.0, 1.0]

    Reference:
        Kaiser, Bengio. Discrete autoencoders for sequence models. 2018. arXiv:1801.09797.
    """
    discrete_fraction = checks.fraction("discrete_fraction", discrete_fraction)
    noise_stddev = checks.number("noise_stddev", noise_stddev, lowest=0)
    flip_probability = checks.number("flip_probability", flip_probability, lowest=0, below=0.5)
    training = checks.flag("training", training)
    wide, logits = _wide(logits, "[..., num_bits]"), tf.convert_to_tensor(logits)
    if not training:
        return tf.cast(wide > 0, logits.dtype)
    if seed is None:
        raise ValueError("semantic_hash draws noise in training. Give a seed. Received: seed=None")
    drawn = semantic_hashing.draw_noise(seeds.convert(seed), tf.shape(wide), wide.dtype)
    x = semantic_hashing.perturb(wide, drawn[..., 0], noise_stddev)
    flipped = discrete_fraction * flip_probability or None
    bits = semantic_hashing.mixed_bits(x, drawn[..., 1], discrete_fraction, flipped)
    return tf.cast(bits, logits.dtype)


def _one_hot(values: tf.Tensor) -> tf.Tensor:
    return tf.one_hot(tf.argmax(values, axis=-1), tf.shape(values)[-1], dtype=values.dtype)


def _wide(logits: Tensor, wanted: str) -> tf.Tensor:
    wide = types.floats("logits", logits)
    if wide.shape.rank == 0 or (wide.shape.rank is not None and wide.shape[-1] == 0):
        raise ValueError(f"logits must be {wanted}. Received: logits.shape={wide.shape}")
    return wide


def _check_temperature(temperature: float | Tensor, logits: tf.Tensor, dtype: tf.DType) -> None:
    """Refuses a number at which results overflow, and what is neither a number nor a tensor of numbers.

    Args:
        temperature: As the caller gave it.
        logits: Of at least float32.
        dtype: Of the logits before they were widened.
    """
    number = checks.plain(temperature)
    if isinstance(number, (bool, int, float, str)):
        if isinstance(number, float) and 0 < number < SMALLEST:
            checks.refuse("temperature", TOO_SMALL, temperature)
        check_temperature(checks.positive("temperature", temperature), dtype)
        return
    tensor = types.floats("temperature", temperature)
    try:
        fits = tf.broadcast_static_shape(tensor.shape, logits.shape).is_compatible_with(
            logits.shape
        )
    except ValueError:
        fits = False
    if not fits:
        checks.refuse("temperature", f"a scalar, or broadcastable to {logits.shape}", temperature)
    known = tf.get_static_value(tensor)
    if known is not None and known.size:
        if not (np.isfinite(known) & (known >= SMALLEST)).all():
            checks.refuse("temperature", f"finite and {TOO_SMALL}", temperature)
        check_temperature(float(known.min()), dtype)
