"""`BinaryCodes`: an autoencoder whose codes are bits, which are packed into bytes."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.codes import packing
from tf_discrete.export.signature import Signature
from tf_discrete.models import autoencoder
from tf_discrete.types import Tensor


class BinaryCodes(autoencoder.DiscreteAutoencoder):
    """Base class of autoencoders with a logit for each bit, which is 1 where the logit is positive."""

    @property
    def num_bits(self) -> int:
        """Returns N, the number of bits of a code."""
        return self.num_variables

    def _logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        outputs = tf.cast(self.encoder(x, training=training), self._wide)
        return tf.reshape(outputs, [-1, self.num_bits])

    def _codes(self, x: Tensor, encoded: Tensor | None = None) -> tf.Tensor:
        logits = self._logits(x) if encoded is None else encoded
        return tf.cast(logits > 0, tf.int32)

    def encode_packed(self, x: Tensor) -> tf.Tensor:
        """Returns the codes as bytes, uint8 [B, ceil(N / 8)], in the order of `numpy.packbits`.

        Bytes have no value to say that an observation was refused: in XLA and TFLite check it before.
        """
        return packing.pack_tensor(self._codes(self.check_observations(x)))

    def signatures(self) -> dict[str, Signature]:
        found = super().signatures()
        inputs = found["encode"].inputs
        packed = Signature(lambda image: {"packed": self.encode_packed(image)}, inputs)
        return {**found, "encode_packed": packed}
