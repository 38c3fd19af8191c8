"""`GroupedQuantizer`: the parts of a vector are quantised separately."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.layers.quantizers import composite
from tf_discrete.layers.quantizers.base import Quantized, Quantizer
from tf_discrete.types import Config, Tensor


@keras.saving.register_keras_serializable("tf_discrete.layers")
class GroupedQuantizer(composite.CompositeQuantizer):
    """Cuts each vector into G parts of equal size and quantises each; the loss is the sum.

    Also known as product quantisation, or as heads.

    Args:
        quantizer: `Quantizer` object or its config, the quantiser of a part. Each part has one of its
            configuration, with a seed of its own. Default: `VectorQuantizer()`.
        num_groups: Int G >= 1, number of parts. Default: 2.
        shared: Bool, whether one quantiser serves all parts. Default: False.
        loss_weight: Float >= 0, weight of the loss that a call adds. Default: 1.0.

    Call arguments:
        inputs: float [..., D]; G must divide D.
        training: Bool, whether codebooks are updated. Default: False.
        mask: bool [...], false where there is padding. Default: None.

    Returns:
        vectors: float [..., D].
        codes: int [..., G n], the n codes of the first part first.

    Raises:
        ValueError: G does not divide D, no quantiser; see `Quantizer.quantize_vectors` and
            `Quantizer.decode`.

    Example:
        >>> from tf_discrete.layers.quantizers import FiniteScalarQuantizer
        >>> layer = GroupedQuantizer(FiniteScalarQuantizer((4, 4)), num_groups=3)
        >>> vectors, codes = layer(tf.zeros([5, 6]))
        >>> codes.shape, layer.num_variables, layer.num_categories
        (TensorShape([5, 3]), 3, 16)

    Reference:
        Jegou, Douze, Schmid. Product quantization for nearest neighbor search. 2011.
    """

    def __init__(
        self,
        quantizer: Quantizer | Config | None = None,
        num_groups: int = 2,
        shared: bool = False,
        **kwargs: Any,
    ):
        self._groups = checks.whole("num_groups", num_groups)
        self._shared = checks.flag("shared", shared)
        given = composite.default() if quantizer is None else quantizer
        count = 1 if self._shared else self._groups
        super().__init__(composite.copies("quantizer", given, count), **kwargs)

    @property
    def num_groups(self) -> int:
        """Returns G."""
        return self._groups

    @property
    def shared(self) -> bool:
        """Returns whether one quantiser serves all parts."""
        return self._shared

    @property
    def num_variables(self) -> int:
        return self._groups * self.parts[0].num_variables

    def _build(self, size: int) -> None:
        if size % self._groups:
            raise ValueError(
                "num_groups must divide the size of the vectors. Change one of them. "
                f"Received: num_groups={self._groups}, vectors of size {size}"
            )
        for part in self.parts:
            part.build((None, size // self._groups))

    def _quantize(self, latents: Tensor, valid: Tensor, training: bool) -> Quantized:
        groups = self._groups
        if self._shared:
            rows = tf.reshape(latents, [-1, latents.shape[-1] // groups])
            found = self.parts[0].quantize_rows(rows, tf.repeat(valid, groups), training)
            loss = tf.reduce_sum(tf.reshape(found.loss, [-1, groups]), axis=-1)
            vectors = tf.reshape(found.vectors, [-1, latents.shape[-1]])
            return Quantized(vectors, tf.reshape(found.codes, [-1, self.num_variables]), loss)
        split = zip(self.parts, tf.split(latents, groups, axis=-1), strict=True)
        each = [part.quantize_rows(rows, valid, training) for part, rows in split]
        vectors, codes, losses = zip(*each, strict=True)
        return Quantized(tf.concat(vectors, -1), tf.concat(codes, -1), tf.add_n(losses))

    def _latents(self, codes: Tensor) -> tf.Tensor:
        each = self.parts * self._groups if self._shared else self.parts
        split = zip(each, tf.split(codes, self._groups, axis=-1), strict=True)
        return tf.concat([part.vectors_of_rows(rows) for part, rows in split], axis=-1)

    def _adapt(self, latents: Tensor) -> None:
        if self._shared:
            self.parts[0].adapt_rows(tf.reshape(latents, [-1, latents.shape[-1] // self._groups]))
            return
        for part, rows in zip(self.parts, tf.split(latents, self._groups, axis=-1), strict=True):
            part.adapt_rows(rows)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "quantizer": composite.config_of(self.parts[0]),
            "num_groups": self._groups,
            "shared": self._shared,
        }
