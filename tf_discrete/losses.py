"""Keras losses that sum over each example, as objectives with a KL term need them.

Keras' own losses average over pixels; a KL in nats added to them weighs hundreds of times too much.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_discrete import likelihoods
from tf_discrete._internal import checks, input_checks
from tf_discrete.types import Config, LikelihoodLike, Tensor


@keras.saving.register_keras_serializable("tf_discrete.losses")
class NegativeLogLikelihood(keras.losses.Loss):
    """Computes -log p(y_true | y_pred) in nats, summed over each example, averaged over the batch.

    Args:
        likelihood: Name or object, see `tf_discrete.likelihoods`. Default: "bernoulli" (y_pred holds
            logits).

    Call arguments:
        y_true: float [B, *data_shape].
        y_pred: float [B, *parameters_shape].

    Raises:
        ValueError: The shapes would be broadcast, or y_true is outside the support of the likelihood
            (tf.errors.InvalidArgumentError in a graph; under XLA the loss is NaN).

    Example:
        >>> loss = NegativeLogLikelihood("bernoulli")
        >>> round(float(loss(tf.ones([4, 784]), tf.zeros([4, 784]))), 1)   # 784 ln 2
        543.4
    """

    def __init__(
        self,
        likelihood: LikelihoodLike = "bernoulli",
        reduction: str = "sum_over_batch_size",
        name: str = "negative_log_likelihood",
        dtype: str | keras.DTypePolicy | None = None,
    ):
        checks.optional(checks.text, "name", name)
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        self.likelihood = likelihoods.get(likelihood)

    def call(self, y_true: Tensor, y_pred: Tensor) -> tf.Tensor:
        y_pred = tf.convert_to_tensor(y_pred)
        y_true = input_checks.in_support(y_true, self.likelihood.support, "y_true")
        self.likelihood.check_shapes(y_true, y_pred)
        y_pred = input_checks.same_batch(y_true, y_pred, ("y_true", "y_pred"))
        return -self.likelihood.log_prob(y_true, y_pred)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
        }
