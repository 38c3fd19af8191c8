"""`FiniteScalarQuantizer`: every number of a vector is rounded to one of a few levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks, replicas
from tf_discrete.layers.quantizers import gradient_rules
from tf_discrete.layers.quantizers.base import Quantized, Quantizer
from tf_discrete.types import Config, Tensor

_MOST_LEVELS = 2**24
_SLOPE = 1.6
"""With it the sigmoid is nearly the distribution function of N(0, 1)."""


@keras.saving.register_keras_serializable("tf_discrete.layers")
class FiniteScalarQuantizer(Quantizer):
    """Rounds each number of a vector to one of L levels in [-1, 1], without a codebook.

    Number z becomes level d, and the number 2 d / (L - 1) - 1:

        y = L sigmoid(1.6 z) - 1 / 2,   d = round(y) within 0..L - 1,

    with the gradient of the unrounded 2 y / (L - 1) - 1. The code is the mixed-radix number of the levels,
    the first the most significant, in [0, prod(levels)). Vectors of another size than the number of levels
    are mapped there and back.

    sigmoid(1.6 z) is nearly the distribution function of N(0, 1), so each level stands for about 1 / L of
    standard normal numbers. (The paper rounds (L - 1) (tanh(z) + 1) / 2 and shifts it for even L, which
    gives the outermost levels half the width of the others, so few vectors reach them.) The loss of a
    position keeps the numbers of a batch near that distribution:

        spread_weight (mean(z)^2 + (standard deviation(z) - 1)^2), summed over the numbers.

    On several replicas the batch is that of all replicas in a training step of `models.QuantizedAutoencoder`,
    and a replica's share of it elsewhere.

    Args:
        levels: Sequence of ints >= 2, the levels L of each number, together at most 2^62. Default:
            (8, 5, 5, 5), 1000 categories.
        spread_weight: Float >= 0, see above; 0 for no loss. Default: 0.25.
        loss_weight: Float >= 0, weight of the loss that a call adds. Default: 1.0.

    Call arguments:
        inputs: float [..., D].
        training: Bool, ignored. Default: False.
        mask: bool [...], false where there is padding. Default: None.

    Returns:
        vectors: float [..., D].
        codes: int32 [..., 1]; int64 for more than 2^31 - 1 categories.

    Raises:
        ValueError: Levels that are too few or too many, an argument out of range; see
            `Quantizer.quantize_vectors` and `Quantizer.decode`.

    Example:
        >>> layer = FiniteScalarQuantizer(levels=(3, 2))
        >>> vectors, codes = layer(tf.constant([[0.1, 9.0], [-9.0, -9.0]]))
        >>> vectors.numpy().tolist(), codes.numpy().tolist()
        ([[0.0, 1.0], [-1.0, -1.0]], [[3], [0]])
        >>> layer.decode([[3]]).numpy().tolist()
        [[0.0, 1.0]]

    Reference:
        Mentzer et al. Finite scalar quantization: VQ-VAE made simple. 2023. arXiv:2309.15505.
    """

    def __init__(
        self, levels: Sequence[int] = (8, 5, 5, 5), spread_weight: float = 0.25, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.levels = checks.sizes("levels", levels, each="number of a vector")
        if not self.levels or min(self.levels) < 2 or math.prod(self.levels) > 2**62:
            checks.refuse("levels", "integers >= 2 with a product of at most 2^62", levels)
        if max(self.levels) > _MOST_LEVELS:
            checks.refuse("levels", "at most 2^24 each, which float32 tells apart", levels)
        self.spread_weight = checks.number("spread_weight", spread_weight, lowest=0)

    @property
    def has_loss(self) -> bool:  # type: ignore[override]
        return self.spread_weight > 0

    @property
    def num_variables(self) -> int:
        return 1

    @property
    def num_categories(self) -> int:
        return math.prod(self.levels)

    @property
    def latent_size(self) -> int:
        return len(self.levels)

    def _quantize(self, latents: Tensor, valid: Tensor, training: bool) -> Quantized:
        levels = tf.constant(self.levels, self.wide)
        unrounded = levels * tf.sigmoid(_SLOPE * latents) - 0.5
        rounded = tf.clip_by_value(tf.round(tf.stop_gradient(unrounded)), 0.0, levels - 1.0)
        digits = tf.cast(rounded, self.code_dtype)
        smooth = 2.0 * unrounded / (levels - 1.0) - 1.0
        vectors = gradient_rules.straight_through(smooth, self._of_digits(digits))
        code = tf.reduce_sum(digits * self._place_values(), axis=-1, keepdims=True)
        loss = tf.zeros_like(latents[:, 0])
        if self.spread_weight:
            loss += self.spread_weight * _spread_penalty(latents, tf.cast(valid, self.wide))
        return Quantized(vectors, code, loss)

    def _latents(self, codes: Tensor) -> tf.Tensor:
        levels = tf.constant(self.levels, self.code_dtype)
        return self._of_digits(codes // self._place_values() % levels)

    def _of_digits(self, digits: Tensor) -> tf.Tensor:
        top = tf.constant([level - 1 for level in self.levels], self.wide)
        return 2.0 * tf.cast(digits, self.wide) / top - 1.0

    def _place_values(self) -> tf.Tensor:
        places = [math.prod(self.levels[i + 1 :]) for i in range(len(self.levels))]
        return tf.constant(places, self.code_dtype)

    def get_config(self) -> Config:
        own = {"levels": self.levels, "spread_weight": self.spread_weight}
        return {**super().get_config(), **own}


def _spread_penalty(latents: Tensor, weights: Tensor) -> tf.Tensor:
    """Computes how far the numbers [R, D] of rows with weights [R] are from mean 0 and deviation 1."""
    count, sums = replicas.total(
        tf.reduce_sum(weights), tf.linalg.matvec(latents, weights, transpose_a=True)
    )
    count = tf.maximum(count, 1.0)
    mean = sums / count
    (squares,) = replicas.total(
        tf.linalg.matvec(tf.square(latents - mean), weights, transpose_a=True)
    )
    deviation = tf.sqrt(squares / count + 1e-12)  # The gradient of the root ends at 0.
    return tf.reduce_sum(tf.square(mean) + tf.square(deviation - 1.0))
