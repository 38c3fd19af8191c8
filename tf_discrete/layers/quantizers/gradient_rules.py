"""How the gradient passes a quantiser: functions of a vector and of the codeword that replaces it.

The value of every rule is the codeword, bit for bit, so that codes mean the same in training and at
inference. The rules differ in the gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete._internal.registry import Registry
from tf_discrete.types import Tensor, WithGradient

GradientRule = Callable[[Tensor, Tensor], Tensor]
"""(vectors [R, D], their codewords [R, D]) -> the codewords, with a gradient."""

REGISTRY: Registry[GradientRule] = Registry("gradient rule")
TRAINS_CODEBOOK = ("diveq",)
"""Rules that pass a gradient to the codewords; under the others a loss must train them."""


def get(name: str) -> GradientRule:
    """Returns the rule of a name.

    Raises:
        ValueError: Unknown; the message lists the names.
    """
    return REGISTRY.entry(name, "gradient")


def names() -> list[str]:
    """Returns the names of the rules."""
    return REGISTRY.names()


@REGISTRY.register("straight_through")
def straight_through(vectors: Tensor, codewords: Tensor) -> tf.Tensor:
    """Passes the gradient to the vectors as it is.

    Args:
        vectors: float [R, D].
        codewords: float [R, D], of the same dtype; receive no gradient.

    Returns:
        codewords: float [R, D].

    Reference:
        Bengio, Leonard, Courville. Estimating or propagating gradients through stochastic neurons. 2013.
        arXiv:1308.3432.
    """

    @tf.custom_gradient
    def rule(vectors: Tensor, codewords: Tensor) -> WithGradient:
        return tf.identity(codewords), lambda upstream: (upstream, tf.zeros_like(upstream))

    return rule(vectors, codewords)


@REGISTRY.register("rotation")
def rotation(vectors: Tensor, codewords: Tensor) -> tf.Tensor:
    """Turns and scales the gradient as the vector z would have to be turned and scaled into its codeword c.

    The codeword is c = s R z with the rotation R in the plane of z and c and s = |c| / |z|, both taken as
    constants, so the gradient of z is s R^T g. Where z or c is 0, or where they point in opposite directions
    and the plane is not defined, the gradient passes as it is.

    Args:
        vectors: float [R, D].
        codewords: float [R, D], of the same dtype; receive no gradient.

    Returns:
        codewords: float [R, D].

    Reference:
        Fifty et al. Restructuring vector quantization with the rotation trick. 2024. arXiv:2410.06424.
    """

    @tf.custom_gradient
    def rule(vectors: Tensor, codewords: Tensor) -> WithGradient:
        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            size, target = (tf.norm(x, axis=-1, keepdims=True) for x in (vectors, codewords))
            start = tf.math.divide_no_nan(vectors, size)
            end = tf.math.divide_no_nan(codewords, target)
            middle = start + end
            length = tf.norm(middle, axis=-1, keepdims=True)
            middle = tf.math.divide_no_nan(middle, length)
            # R^T g for R = I - 2 m m^T + 2 end start^T.
            turned = (
                upstream - 2.0 * middle * _dot(middle, upstream) + 2.0 * start * _dot(end, upstream)
            )
            defined = (size > 0) & (target > 0) & (length > 1e-4)
            scale = tf.math.divide_no_nan(target, size)
            return tf.where(defined, scale * turned, upstream), tf.zeros_like(upstream)

        return tf.identity(codewords), gradient

    return rule(vectors, codewords)


@REGISTRY.register("diveq")
def diveq(vectors: Tensor, codewords: Tensor) -> tf.Tensor:
    """Differentiates z + |c - z| u at a constant direction u = (c - z) / |c - z|.

    The part of the gradient g along u trains the codeword, u (u^T g), and the rest trains the vector,
    g - u (u^T g). No other loss is needed. The paper adds a little noise to u in training, which this rule
    leaves out. Where z = c the vector receives all of the gradient.

    Args:
        vectors: float [R, D].
        codewords: float [R, D], of the same dtype.

    Returns:
        codewords: float [R, D].

    Reference:
        Vali, Backstrom, Solin. DiVeQ: differentiable vector quantization using the reparameterization trick.
        2025. arXiv:2509.26469.
    """

    @tf.custom_gradient
    def rule(vectors: Tensor, codewords: Tensor) -> WithGradient:
        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            error = codewords - vectors
            direction = tf.math.divide_no_nan(error, tf.norm(error, axis=-1, keepdims=True))
            along = direction * _dot(direction, upstream)
            return upstream - along, along

        return tf.identity(codewords), gradient

    return rule(vectors, codewords)


def _dot(one: Tensor, other: Tensor) -> tf.Tensor:
    return tf.reduce_sum(one * other, axis=-1, keepdims=True)
