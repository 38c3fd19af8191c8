"""`FiniteScalarQuantizer`: every number of a vector is rounded to one of a few levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.layers.quantizers import gradient_rules
from tf_discrete.layers.quantizers.base import Quantized, Quantizer
from tf_discrete.types import Config, Tensor


@keras.saving.register_keras_serializable("tf_discrete.layers")
class FiniteScalarQuantizer(Quantizer):
    """Rounds each number of a vector to one of L levels in [-1, 1], without a codebook or a loss.

    Number i becomes 2 round((L_i - 1) (tanh(z_i) + 1) / 2) / (L_i - 1) - 1, with the gradient of the
    unrounded value. The code is the mixed-radix number of the levels, the first the most significant, in
    [0, prod(levels)). Vectors of another size than the number of levels are mapped there and back. For
    even numbers of levels the paper shifts the tanh; the form used here is symmetric for all, so 2 levels
    work too.

    Args:
        levels: Sequence of ints >= 2, the levels L of each number, together at most 2^62. Default:
            (8, 5, 5, 5), 1000 categories.
        loss_weight: see `Quantizer`; there is no loss. Default: 1.0.

    Call arguments:
        inputs: float [..., D].
        training: Bool, ignored. Default: False.
        mask: bool [...], false where there is padding. Default: None.

    Returns:
        vectors: float [..., D].
        codes: int32 [..., 1]; int64 for more than 2^31 - 1 categories.

    Raises:
        ValueError: Levels that are too few or too many; see `Quantizer.quantize_vectors` and
            `Quantizer.decode`.

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

    has_loss = False

    def __init__(self, levels: Sequence[int] = (8, 5, 5, 5), **kwargs: Any):
        super().__init__(**kwargs)
        self.levels = checks.sizes("levels", levels, each="number of a vector")
        if not self.levels or min(self.levels) < 2 or math.prod(self.levels) > 2**62:
            checks.refuse("levels", "integers >= 2 with a product of at most 2^62", levels)

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
        top = tf.constant([level - 1 for level in self.levels], self.wide)
        unit = (tf.tanh(latents) + 1.0) / 2.0
        digits = tf.cast(tf.round(top * tf.stop_gradient(unit)), self.code_dtype)
        vectors = gradient_rules.straight_through(2.0 * unit - 1.0, self._of_digits(digits))
        code = tf.reduce_sum(digits * self._place_values(), axis=-1, keepdims=True)
        return Quantized(vectors, code, tf.zeros_like(latents[:, 0]))

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
        return {**super().get_config(), "levels": self.levels}
