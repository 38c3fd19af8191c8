"""`NearestCodeword`: what quantisers share that take the nearest of K codewords."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.layers.quantizers import gradient_rules, k_means
from tf_discrete.layers.quantizers.base import Quantized, Quantizer
from tf_discrete.layers.quantizers.codebook import Codebook
from tf_discrete.types import Config, Tensor

DISTANCES = ("euclidean", "cosine")


class NearestCodeword(Quantizer):
    """Base class of quantisers that take the nearest of K codewords; a subclass makes the codebook.

    Args:
        num_categories: Int K >= 2, number of codewords.
        gradient: Name of the gradient rule, see `gradient_rules.names()`.
        distance: "euclidean", or "cosine": vectors and codewords are normalised to length 1.
        code_size: Int, size of the codewords; vectors are mapped there and back. None: that of the vectors.
        commitment_weight: Float >= 0, weight of the squared distance that trains the vectors. None: 0.25, or
            0 if the gradient rule trains the codebook.
        seed: Int, seed of the first codewords and of replacements.
        **kwargs: see `Quantizer`.
    """

    codebook: Codebook

    def __init__(
        self,
        num_categories: int,
        gradient: str,
        distance: str,
        code_size: int | None,
        commitment_weight: float | None,
        seed: int,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._size = checks.whole("num_categories", num_categories, 2)
        self.gradient, self._rule = gradient, gradient_rules.get(gradient)
        self._by_rule = gradient in gradient_rules.TRAINS_CODEBOOK
        self.distance = checks.choice("distance", distance, DISTANCES)
        self.code_size = checks.optional(checks.whole, "code_size", code_size)
        self.commitment_weight = checks.number(
            "commitment_weight",
            (0.0 if self._by_rule else 0.25) if commitment_weight is None else commitment_weight,
            lowest=0,
        )
        self.seed = checks.seed("seed", seed)

    @property
    def num_variables(self) -> int:
        return 1

    @property
    def num_categories(self) -> int:
        return self._size

    @property
    def latent_size(self) -> int | None:
        return self.code_size

    def _build(self, size: int) -> None:
        self.codebook = self._make_codebook(size)

    def _make_codebook(self, size: int) -> Codebook:
        raise NotImplementedError

    def _quantize(self, latents: Tensor, valid: Tensor, training: bool) -> Quantized:
        indices = k_means.nearest(self._compared(latents), self.codebook.codewords())
        return self.quantize_as(latents, indices, valid, training)

    def quantize_as(
        self, latents: Tensor, indices: Tensor, valid: Tensor, training: bool
    ) -> Quantized:
        """Replaces latents [R, D] by the codewords of indices [R], whether or not these are the nearest."""
        latents = self._compared(latents)
        codewords = self.codebook.lookup(indices)
        loss = self.commitment_weight * _squared_distance(latents, tf.stop_gradient(codewords))
        if self.codebook.trains_by_gradient and not self._by_rule:
            loss += _squared_distance(tf.stop_gradient(latents), codewords)
        vectors = self._rule(latents, codewords)
        if training:
            self.codebook.update(tf.stop_gradient(latents), indices, valid)
        return Quantized(vectors, indices[:, tf.newaxis], loss)

    def _latents(self, codes: Tensor) -> tf.Tensor:
        return self.codebook.lookup(codes[:, 0])

    def _adapt(self, latents: Tensor) -> None:
        latents = self._compared(latents)
        self.codebook.assign(k_means.lloyd(latents, self.num_categories, seed=self.seed))

    def _compared(self, latents: Tensor) -> tf.Tensor:
        if self.distance == "cosine":
            return tf.math.l2_normalize(latents, axis=-1, epsilon=1e-12)
        return latents

    def get_config(self) -> Config:
        names = ("num_categories", "gradient", "distance", "code_size", "commitment_weight", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _squared_distance(one: Tensor, other: Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(one - other), axis=-1)
