"""`LookupFreeQuantizer`: the signs of a vector are its code (LFQ, and BSQ on the sphere)."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks, replicas
from tf_discrete.layers.quantizers import gradient_rules
from tf_discrete.layers.quantizers.base import Quantized, Quantizer
from tf_discrete.types import Config, Tensor


@keras.saving.register_keras_serializable("tf_discrete.layers")
class LookupFreeQuantizer(Quantizer):
    """Replaces a vector by its signs, with an entropy objective that keeps all codes in use.

    Number b becomes c_b = s sign(z_b), with the gradient passed as it is. With `spherical=False` (LFQ) s = 1;
    with `spherical=True` (BSQ) z is normalised to length 1 and s = 1 / sqrt(num_bits), so the quantisation
    error is bounded. The code is the number whose binary digits are the bits [z_b > 0], the first the most
    significant.

    The loss of a position is

        commitment_weight |z - c|^2 + entropy_weight (H(q) - diversity_weight H(mean q)),

    with q(c) ~ exp(inverse_temperature z^T c / s^2) over all 2^num_bits codes. It makes each position sure
    and the batch varied. q has independent bits of probability sigmoid(2 inverse_temperature z_b / s), so
    H(q) is the sum of the bits' entropies, exactly. H(mean q) is taken as the sum over bits too, which is an
    upper bound, exact if the bits of the batch are independent. Neither ever lists the codes. On several
    replicas the batch is that of all replicas in a training step of `models.QuantizedAutoencoder`, and a
    replica's share of it elsewhere.

    Args:
        num_bits: Int >= 1, number of bits of a position. Default: 10.
        bits_per_code: Int that divides `num_bits`, at most 62: bits of one variable. 1 gives `num_bits`
            variables of 2 categories, for packing and Hamming search. None: all bits, one variable of
            2^num_bits categories. Default: None.
        spherical: Bool, whether vectors are normalised (BSQ). Default: False.
        commitment_weight: Float >= 0. Default: 0.25.
        entropy_weight: Float >= 0, in 1 / nats. Default: 0.1.
        diversity_weight: Float >= 0. Default: 1.0.
        inverse_temperature: Positive float. Default: 2.0.
        loss_weight: Float >= 0, weight of the loss that a call adds. Default: 1.0.

    Call arguments:
        inputs: float [..., D]; another D than `num_bits` is mapped there and back.
        training: Bool, ignored. Default: False.
        mask: bool [...], false where there is padding. Default: None.

    Returns:
        vectors: float [..., D].
        codes: int32 [..., num_bits / bits_per_code]; int64 for more than 30 bits per code.

    Raises:
        ValueError: An argument is out of range; see `Quantizer.quantize_vectors` and `Quantizer.decode`.

    Example:
        >>> layer = LookupFreeQuantizer(num_bits=3)
        >>> vectors, codes = layer(tf.constant([[0.5, -2.0, 0.1]]))
        >>> vectors.numpy().tolist(), codes.numpy().tolist()
        ([[1.0, -1.0, 1.0]], [[5]])

    Reference:
        Yu et al. Language model beats diffusion: tokenizer is key to visual generation. 2023.
        arXiv:2310.05737.
        Zhao, Xiong, Kraehenbuehl. Image and video tokenization with binary spherical quantization. 2024.
        arXiv:2406.07548.
    """

    def __init__(
        self,
        num_bits: int = 10,
        bits_per_code: int | None = None,
        spherical: bool = False,
        commitment_weight: float = 0.25,
        entropy_weight: float = 0.1,
        diversity_weight: float = 1.0,
        inverse_temperature: float = 2.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_bits = checks.whole("num_bits", num_bits)
        self.bits_per_code = checks.optional(checks.whole, "bits_per_code", bits_per_code)
        if self.num_bits % self._width or self._width > 62:
            raise ValueError(
                "bits_per_code must divide num_bits and be at most 62, the bits of one integer. Give 1 for "
                f"codes of bits. Received: num_bits={num_bits}, bits_per_code={bits_per_code}"
            )
        self.spherical = checks.flag("spherical", spherical)
        self.commitment_weight = checks.number("commitment_weight", commitment_weight, lowest=0)
        self.entropy_weight = checks.number("entropy_weight", entropy_weight, lowest=0)
        self.diversity_weight = checks.number("diversity_weight", diversity_weight, lowest=0)
        self.inverse_temperature = checks.positive("inverse_temperature", inverse_temperature)

    @property
    def _width(self) -> int:
        return self.bits_per_code or self.num_bits

    @property
    def num_variables(self) -> int:
        return self.num_bits // self._width

    @property
    def num_categories(self) -> int:
        return 2**self._width

    @property
    def latent_size(self) -> int:
        return self.num_bits

    @property
    def scale(self) -> float:
        """Returns s, the size of the numbers of a codeword."""
        return 1.0 / math.sqrt(self.num_bits) if self.spherical else 1.0

    def _quantize(self, latents: Tensor, valid: Tensor, training: bool) -> Quantized:
        if self.spherical:
            latents = tf.math.l2_normalize(latents, axis=-1, epsilon=1e-12)
        bits = latents > 0
        codewords = self._of_bits(bits)
        loss = self.commitment_weight * tf.reduce_sum(tf.square(latents - codewords), axis=-1)
        if self.entropy_weight:
            loss += self.entropy_weight * self._entropy_terms(latents, valid)
        digits = tf.reshape(bits, [-1, self.num_variables, self._width])
        codes = tf.reduce_sum(tf.cast(digits, self.code_dtype) * self._place_values(), axis=-1)
        return Quantized(gradient_rules.straight_through(latents, codewords), codes, loss)

    def _latents(self, codes: Tensor) -> tf.Tensor:
        digits = codes[:, :, tf.newaxis] // self._place_values() % 2
        return self._of_bits(tf.reshape(digits > 0, [-1, self.num_bits]))

    def _entropy_terms(self, latents: Tensor, valid: Tensor) -> tf.Tensor:
        """Computes H(q) - diversity_weight H(mean q) in nats, [R]."""
        logits = 2.0 * self.inverse_temperature / self.scale * latents
        probs = tf.sigmoid(logits)
        own = tf.reduce_sum(tf.nn.softplus(logits) - logits * probs, axis=-1)
        weights = tf.cast(valid, self.wide)
        count, sums = replicas.total(
            tf.reduce_sum(weights), tf.linalg.matvec(probs, weights, transpose_a=True)
        )
        mean = sums / tf.maximum(count, 1.0)
        mean = tf.clip_by_value(mean, 1e-6, 1.0 - 1e-6)  # The gradient of x log x ends at 0.
        shared = -tf.reduce_sum(mean * tf.math.log(mean) + (1 - mean) * tf.math.log1p(-mean))
        return own - self.diversity_weight * shared

    def _of_bits(self, bits: Tensor) -> tf.Tensor:
        return tf.where(bits, tf.cast(self.scale, self.wide), tf.cast(-self.scale, self.wide))

    def _place_values(self) -> tf.Tensor:
        return tf.constant([2**i for i in reversed(range(self._width))], self.code_dtype)

    def get_config(self) -> Config:
        names = (
            *("num_bits", "bits_per_code", "spherical", "commitment_weight", "entropy_weight"),
            *("diversity_weight", "inverse_temperature"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
