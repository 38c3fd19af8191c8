"""`VectorQuantizer`: the nearest of K learned codewords."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete._internal import checks
from tf_discrete.layers.quantizers.codebook import (
    Codebook,
    GradientCodebook,
    MovingAverageCodebook,
)
from tf_discrete.layers.quantizers.nearest_codeword import NearestCodeword
from tf_discrete.types import Config

CODEBOOKS = ("moving_average", "gradient")


@keras.saving.register_keras_serializable("tf_discrete.layers")
class VectorQuantizer(NearestCodeword):
    """Replaces each vector by the nearest of K learned codewords.

    With `codebook="moving_average"` codewords are moving averages of their vectors and need no optimizer;
    with "gradient" the squared distance to their vectors trains them. Codewords start at vectors of the
    first batches, or at the k-means of data by `adapt`. A codeword whose use falls below `dead_threshold` of
    the mean is replaced by a vector of the batch that has a large error; its averages start anew. With
    `dead_threshold=0` neither happens: codewords start at random, and data with an offset need `adapt`. The
    codes are those of the codebook before the update, at inference too.

    The loss of a position is commitment_weight |z - c|^2, which trains z, plus |z - c|^2, which trains c, of
    a "gradient" codebook, both summed over the size of the vector. The gradient rule "diveq" trains both
    without a loss.

    Under several replicas a codebook with statistics must be trained by a model of `tf_discrete.models`,
    which merges them after the step; the result is that of one device.

    Args:
        num_categories: Int K >= 2, number of codewords. Default: 512.
        codebook: "moving_average" or "gradient". Default: "moving_average".
        gradient: "straight_through", "rotation" or "diveq". Default: "straight_through".
        distance: "euclidean", or "cosine": vectors and codewords are normalised to length 1. Default:
            "euclidean".
        code_size: Int, size of the codewords; an affine map leads there and back. None: that of the vectors.
            Default: None.
        commitment_weight: Float >= 0. Default: 0.25; 0 with "diveq".
        decay: Float in [0, 1), decay of the averages for each batch. Default: 0.95.
        dead_threshold: Float in [0, 1), share of the mean use below which a codeword is replaced; 0 for
            never. Default: 0.05.
        seed: Int, seed of the first codewords and of replacements. Default: 0.
        loss_weight: Float >= 0, weight of the loss that a call adds. Default: 1.0.

    Call arguments:
        inputs: float [..., D].
        training: Bool, whether the codebook is updated. Default: False.
        mask: bool [...], false where there is padding. Default: None.

    Returns:
        vectors: float [..., D].
        codes: int32 [..., 1].

    Raises:
        ValueError: An argument is out of range, "diveq" with a codebook of averages, which it cannot train;
            see `Quantizer.quantize_vectors` and `Quantizer.decode`.

    Example:
        >>> import tensorflow as tf
        >>> layer = VectorQuantizer(num_categories=2)
        >>> layer.adapt(tf.constant([[0.0], [0.2], [5.0]]))
        >>> vectors, codes = layer(tf.constant([[4.0], [1.0]]))
        >>> vectors.numpy().round(3).tolist(), codes.shape
        ([[5.0], [0.10000000149011612]], TensorShape([2, 1]))

    Reference:
        van den Oord, Vinyals, Kavukcuoglu. Neural discrete representation learning. 2017. arXiv:1711.00937.
        Razavi, van den Oord, Vinyals. Generating diverse high-fidelity images with VQ-VAE-2. 2019.
        arXiv:1906.00446.
        Yu et al. Vector-quantized image modeling with improved VQGAN. 2021. arXiv:2110.04627 (cosine, small
        codewords).
    """

    def __init__(
        self,
        num_categories: int = 512,
        codebook: str = "moving_average",
        gradient: str = "straight_through",
        distance: str = "euclidean",
        code_size: int | None = None,
        commitment_weight: float | None = None,
        decay: float = 0.95,
        dead_threshold: float = 0.05,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            num_categories, gradient, distance, code_size, commitment_weight, seed, **kwargs
        )
        self.codebook_kind = checks.choice("codebook", codebook, CODEBOOKS)
        self.decay = checks.number("decay", decay, lowest=0, below=1)
        self.dead_threshold = checks.number("dead_threshold", dead_threshold, lowest=0, below=1)
        if self._by_rule and codebook != "gradient":
            raise ValueError(
                f"The gradient rule {gradient!r} trains the codewords. Give codebook='gradient', or another "
                f"rule. Received: gradient={gradient!r}, codebook={codebook!r}"
            )

    def _make_codebook(self, size: int) -> Codebook:
        kind = MovingAverageCodebook if self.codebook_kind == "moving_average" else GradientCodebook
        return kind(
            self.num_categories,
            size,
            self.distance == "cosine",
            self.decay,
            self.dead_threshold,
            self.seed,
            dtype=self.wide.name,
            name="codebook",
        )

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "codebook": self.codebook_kind,
            "decay": self.decay,
            "dead_threshold": self.dead_threshold,
        }
