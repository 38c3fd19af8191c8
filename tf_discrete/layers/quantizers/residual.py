"""`ResidualQuantizer`: each quantiser works on what the quantisers before it left over."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.layers.quantizers import beam_search, composite, gradient_rules
from tf_discrete.layers.quantizers.base import Quantized, Quantizer
from tf_discrete.layers.quantizers.nearest_codeword import NearestCodeword
from tf_discrete.types import Config, Tensor


@keras.saving.register_keras_serializable("tf_discrete.layers")
class ResidualQuantizer(composite.CompositeQuantizer):
    """Quantises a vector, then the error, then the error of that, L times; the vector is the sum.

    The first codes are coarse and the last ones fine. The residual is the difference of values, whatever the
    gradient rule, so the codes in training are those at inference. The rule of the quantisers is applied
    once, to the vector and the sum of its codewords, so the gradient does not grow with L.

    With `beam_size=1` each quantiser takes its nearest codeword. A larger beam keeps that many sums of
    codewords after each quantiser, in training and at inference, and finds codes with a smaller error; see
    `beam_search.search`.

    With `dropout`, a training batch is decoded from its first l codes alone with that probability, l drawn
    uniformly from 1..L - 1, so that a prefix of the codes is a code too. The codes and the statistics of the
    codebooks are those of all L quantisers nevertheless. `decode` takes the codes of the first quantisers
    alone, too.

    Args:
        quantizer: `Quantizer` object or its config; there are L of its configuration, with seeds of their
            own. It must work on vectors of the given size. With a codebook each level refines the one before;
            the fixed levels of FSQ and LFQ do not. Default: `VectorQuantizer()`.
        num_quantizers: Int L >= 1. Default: 4.
        dropout: Float in [0, 1), see above. Default: 0.0.
        code_size: Int, size of the codewords; an affine map leads there and back, once for all quantisers.
            None: that of the vectors. Default: None.
        beam_size: Int >= 1, see above; a larger one takes that many times the distances. More than 1 needs
            quantisers with a codebook, `VectorQuantizer` or `SimVQ`. Default: 1.
        seed: Int, seed of the dropout. Default: 0.
        loss_weight: Float >= 0, weight of the loss that a call adds. Default: 1.0.

    Call arguments:
        inputs: float [..., D].
        training: Bool, whether codebooks are updated. Default: False.
        mask: bool [...], false where there is padding. Default: None.

    Returns:
        vectors: float [..., D].
        codes: int [..., L n], n for each quantiser, coarse first.

    Raises:
        ValueError: An argument is out of range; see `Quantizer.quantize_vectors` and `Quantizer.decode`.

    Example:
        >>> from tf_discrete.layers.quantizers import VectorQuantizer
        >>> layer = ResidualQuantizer(VectorQuantizer(num_categories=2), num_quantizers=2)
        >>> x = tf.constant([[0.0], [1.0], [10.0], [11.0]])
        >>> layer.adapt(x)
        >>> vectors, codes = layer(x)
        >>> vectors.numpy().ravel().tolist(), codes.shape
        ([0.0, 1.0, 10.0, 11.0], TensorShape([4, 2]))

    Reference:
        Lee et al. Autoregressive image generation using residual quantization. 2022. arXiv:2203.01941.
        Zeghidour et al. SoundStream: an end-to-end neural audio codec. 2021. arXiv:2107.03312.
    """

    def __init__(
        self,
        quantizer: Quantizer | Config | None = None,
        num_quantizers: int = 4,
        dropout: float = 0.0,
        code_size: int | None = None,
        beam_size: int = 1,
        seed: int = 0,
        **kwargs: Any,
    ):
        count = checks.whole("num_quantizers", num_quantizers)
        given = composite.default() if quantizer is None else quantizer
        super().__init__(composite.copies("quantizer", given, count), **kwargs)
        self.dropout = checks.number("dropout", dropout, lowest=0, below=1)
        self.code_size = checks.optional(checks.whole, "code_size", code_size)
        _check_rules(self.parts[0])
        rule = getattr(self.parts[0], "gradient", "straight_through")
        self._rule, self._by_rule = gradient_rules.get(rule), rule in gradient_rules.TRAINS_CODEBOOK
        self.beam_size = checks.whole("beam_size", beam_size)
        if self.beam_size > 1 and not isinstance(self.parts[0], NearestCodeword):
            raise ValueError(
                "Beam search needs quantisers with a codebook. Give a VectorQuantizer or SimVQ, or "
                f"beam_size=1. Received: beam_size={beam_size}, quantizer={type(self.parts[0]).__name__}"
            )
        self.seed = checks.seed("seed", seed)
        self.step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )

    @property
    def num_quantizers(self) -> int:
        """Returns L."""
        return len(self.parts)

    @property
    def latent_size(self) -> int | None:
        return self.code_size

    @property
    def num_variables(self) -> int:
        return self.num_quantizers * self.parts[0].num_variables

    def _takes(self, width: int | None) -> bool:
        each = self.parts[0].num_variables
        return width is not None and width % each == 0 and 0 < width <= self.num_variables

    def _build(self, size: int) -> None:
        for part in self.parts:
            part.build((None, size))
        if any(
            layer.project_in
            for layer in self._flatten_layers(False)
            if isinstance(layer, Quantizer)
        ):
            raise ValueError(
                "The quantisers of a stack must work on vectors of its own size. Give code_size to "
                "ResidualQuantizer and not to its quantiser. "
                f"Received: vectors of size {size}, quantizer={type(self.parts[0]).__name__}"
            )

    def _quantize(self, latents: Tensor, valid: Tensor, training: bool) -> Quantized:
        used = self._num_used() if training and self.dropout else None
        total, residual = tf.zeros_like(latents), latents
        loss, codes = tf.zeros_like(latents[:, 0]), []
        paths = self._paths(latents) if self.beam_size > 1 else None
        for number, part in enumerate(self.parts):
            if paths is not None and isinstance(part, NearestCodeword):
                found = part.quantize_as(residual, paths[:, number], valid, training)
            else:
                found = part.quantize_rows(residual, valid, training)
            value, own = tf.stop_gradient(found.vectors), found.loss
            residual -= value
            if self._by_rule:
                value = part.vectors_of_rows(found.codes)
            if used is not None:
                keep = tf.cast(number < used, self.wide)
                value, own = keep * value, keep * own
            total, loss = total + value, loss + own
            codes.append(found.codes)
        return Quantized(self._rule(latents, total), tf.concat(codes, axis=-1), loss)

    def _paths(self, latents: Tensor) -> tf.Tensor:
        """Returns the codes [R, L] that beam search finds."""
        parts = [part for part in self.parts if isinstance(part, NearestCodeword)]
        codebooks = [part.codebook.codewords() for part in parts]
        return beam_search.search(latents, codebooks, self.beam_size)

    def _num_used(self) -> tf.Tensor:
        """Draws how many quantisers are decoded in this batch."""
        step = tf.convert_to_tensor(self.step)
        seed = seeds.fold(seeds.base(self.seed), "dropout", step, seeds.replica_id())
        drop, which = tf.unstack(tf.random.stateless_uniform([2], seed, alg=seeds.algorithm()))
        self.step.assign_add(1)
        fewer = 1 + tf.cast(which * (self.num_quantizers - 1), tf.int32)
        return tf.where(drop < self.dropout, fewer, self.num_quantizers)

    def _latents(self, codes: Tensor) -> tf.Tensor:
        count = codes.shape[-1] // self.parts[0].num_variables
        split = zip(self.parts, tf.split(codes, count, axis=-1), strict=False)
        return tf.add_n([part.vectors_of_rows(one) for part, one in split])

    def _adapt(self, latents: Tensor) -> None:
        for part in self.parts:
            part.adapt_rows(latents)
            valid = tf.ones(tf.shape(latents)[:1], tf.bool)
            latents -= part.quantize_rows(latents, valid, training=False).vectors

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "quantizer": composite.config_of(self.parts[0]),
            "num_quantizers": self.num_quantizers,
            "dropout": self.dropout,
            "code_size": self.code_size,
            "beam_size": self.beam_size,
            "seed": self.seed,
        }


def _check_rules(part: Quantizer) -> None:
    """Refuses gradient rules inside a composite, which would get no gradient: the sum has one rule."""
    inner = [one for one in part._flatten_layers() if one is not part]
    rules = {rule for one in inner if (rule := getattr(one, "gradient", None))} - {
        "straight_through"
    }
    if rules:
        raise ValueError(
            "Composites inside a residual quantiser must leave the gradient rule at 'straight_through'. Give "
            f"another to a VectorQuantizer or SimVQ alone. Received: gradient={sorted(rules)[0]!r} in "
            f"quantizer={type(part).__name__}"
        )
