"""The overlapping smoothing of DVAE++: a mixture of two exponential variables, one for each bit value."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete import types
from tf_discrete.distributions import Bernoulli
from tf_discrete.estimators.discrete_vae import DiscreteVAE
from tf_discrete.estimators.registry import register
from tf_discrete.types import Sample, Tensor, WithGradient


@register("overlapping_exponentials")
class OverlappingExponentials(DiscreteVAE):
    """Smooths both values of a bit: z is near 0 or near 1, and any z may come from either.

        density of z on [0, 1] proportional to  (1 - q) * m + q * a / m,  q = sigmoid(logit)
        m = exp(-sharpness * z),  a = exp(-sharpness)

    z is the inverse of the distribution function at a uniform u: m is the positive root of

        (1 - q) m^2 + b m - q a = 0,  b = u (1 - a) + q a - (1 - q)

    and the gradient is by the implicit function theorem. Unlike with `discrete_vae`, the gradient is
    never 0 on a set of positive probability, and its slope reaches exp(sharpness / 2) / (4 sharpness) only.
    Value and gradient are those of a relaxed problem, without bias for it. z does not tell which of the two
    made it: the code is z rounded, so a bit is turned with probability e = sigmoid(-sharpness / 2) and has
    the probability q (1 - e) + (1 - q) e. `distribution` says so in logit form; KL, entropy and frequencies
    use it. That KL is smaller than the one of the bits before smoothing, which the paper's bound has.
    One evaluation a sample.

    Args:
        sharpness: Positive float or schedule, at most 50 (10 with float16 logits). Default: 5.0.
        latents: "bernoulli".

    Raises:
        ValueError: a sharpness out of range, or categorical latents.

    Example:
        >>> estimator = OverlappingExponentials(sharpness=4.0)
        >>> [round(float(p), 3) for p in estimator.distribution(tf.constant([-10.0, 0.0, 10.0])).probs]
        [0.119, 0.5, 0.881]

    Reference:
        Vahdat, Macready, Bian, Khoshaman, Andriyash. DVAE++: Discrete variational autoencoders with
        overlapping transformations. 2018. arXiv:1802.04920.
    """

    spec = DiscreteVAE.spec._replace(
        reference="Vahdat, Macready, Bian, Khoshaman, Andriyash 2018, arXiv:1802.04920",
        only=("bernoulli",),
    )

    def distribution(self, logits: Tensor) -> Bernoulli:
        """Returns the distribution of the code [z > 1/2], a bit that smoothing may have turned."""
        logits = types.at_least_float32(logits)
        half = 0.5 * tf.cast(self.sharpness.value, logits.dtype)
        # log of (q (1 - e) + (1 - q) e) / (q e + (1 - q) (1 - e)), in the form that is finite on each side.
        likely = half + tf.math.softplus(-logits - half) - tf.math.softplus(half - logits)
        unlikely = tf.math.softplus(logits + half) - tf.math.softplus(logits - half) - half
        return Bernoulli(tf.where(logits > 0, likely, unlikely))

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        logits = self._tile(logits, noise)
        sharpness = tf.cast(self.sharpness.value, logits.dtype)
        least = tf.exp(-sharpness)

        @tf.custom_gradient
        def inverse(logits: tf.Tensor) -> WithGradient:
            q, p = tf.sigmoid(logits), tf.sigmoid(-logits)
            b = noise * (1.0 - least) + q * least - p
            root = tf.sqrt(b * b + 4.0 * p * q * least)
            # Of the two forms of the root the one that adds numbers of one sign.
            m = tf.where(
                b > 0, 2.0 * q * least / (root + tf.abs(b)), (root + tf.abs(b)) / (2.0 * p)
            )
            m = tf.clip_by_value(m, least, 1.0)

            def backward(upstream: tf.Tensor) -> tf.Tensor:
                w = least / m
                slope = q * p * (1.0 - m) * (1.0 - w) / (sharpness * (p * m + q * w))
                return upstream * slope

            return -tf.math.log(m) / sharpness, backward

        value = inverse(logits)
        return Sample(value, self.distribution(logits).code(value))
