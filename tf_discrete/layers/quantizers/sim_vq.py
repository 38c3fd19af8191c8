"""`SimVQ`: a vector quantiser whose codewords share one trained matrix."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete.layers.quantizers.codebook import Codebook, LinearCodebook
from tf_discrete.layers.quantizers.nearest_codeword import NearestCodeword


@keras.saving.register_keras_serializable("tf_discrete.layers")
class SimVQ(NearestCodeword):
    """A vector quantiser whose codewords are frozen random vectors times one trained matrix.

    Each step moves all codewords together, so none is left behind, with any number of them. But no codeword
    moves on its own: random vectors stay a random code, whose error is larger than that of k-means, unless
    `adapt` starts the frozen vectors at the k-means of data. The loss is that of `VectorQuantizer` with a
    "gradient" codebook.

    Args:
        num_categories: Int K >= 2, number of codewords. Default: 512.
        gradient: "straight_through", "rotation" or "diveq". Default: "straight_through".
        distance: "euclidean" or "cosine". Default: "euclidean".
        code_size: Int, size of the codewords; an affine map leads there and back. None: that of the vectors.
            Default: None.
        commitment_weight: Float >= 0. Default: 0.25; 0 with "diveq".
        seed: Int, seed of the frozen vectors. Default: 0.
        loss_weight: Float >= 0, weight of the loss that a call adds. Default: 1.0.

    Call arguments:
        inputs: float [..., D].
        training: Bool, ignored. Default: False.
        mask: bool [...], false where there is padding. Default: None.

    Returns:
        vectors: float [..., D].
        codes: int32 [..., 1].

    Raises:
        ValueError: An argument is out of range; see `Quantizer.quantize_vectors` and `Quantizer.decode`.

    Example:
        >>> import tensorflow as tf
        >>> vectors, codes = SimVQ(num_categories=64)(tf.ones([3, 5, 4]))
        >>> vectors.shape, codes.shape
        (TensorShape([3, 5, 4]), TensorShape([3, 5, 1]))

    Reference:
        Zhu et al. Addressing representation collapse in vector quantized models with one linear layer. 2024.
        arXiv:2411.02038.
    """

    def __init__(
        self,
        num_categories: int = 512,
        gradient: str = "straight_through",
        distance: str = "euclidean",
        code_size: int | None = None,
        commitment_weight: float | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            num_categories, gradient, distance, code_size, commitment_weight, seed, **kwargs
        )

    def _make_codebook(self, size: int) -> Codebook:
        cosine, dtype = self.distance == "cosine", self.wide.name
        return LinearCodebook(
            self.num_categories, size, cosine, self.seed, dtype=dtype, name="codebook"
        )
