"""`CodeEmbedding`: what a decoder reads in the place of the one-hot digits of a code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.assertions import is_known, required
from tf_discrete.distributions import LatentSpec
from tf_discrete.estimators import Estimator
from tf_discrete.types import Config, Shape, Tensor, WithGradient

MODES = ("table", "digit_sum", "one_hot")
ROUNDING = 1e-2
"""By how much a digit of a one-hot value may differ from 1: sums in half precision round by less."""


@keras.saving.register_keras_serializable("tf_discrete.layers")
class CodeEmbedding(keras.layers.Layer):
    """Embeds discrete values of very many categories.

    - "table": row `code` of a table [K, E], the same for all variables. The forward pass gathers one row a
      variable; the gradient for the table is sparse, `tf.IndexedSlices` of these rows. Between the corners
      the embedding is the multilinear continuation of the table, so the gradient for the category v of a
      digit is that for the embedding times the row of the code with v in the place of that digit: D * r
      rows, of which only the backward pass of a pathwise estimator knows. A value that is no corner has no
      row, so the estimator must sample one-hot values.
    - "digit_sum": the sum of a row for each digit, D tables [r, E]. Linear in the value, and so right for
      relaxed values too. Its size does not depend on K.
    - "one_hot": the digits themselves; no weights.

    No tensor of the layer has an axis of K but the table. Keras' optimizers update all rows of a table, and
    their moments, in each step; `tf_discrete.optimizers.LazyAdam` updates those that the batch has read.

    Args:
        num_categories: Int K >= 2. Default: 10.
        width: Int E >= 1, numbers of an embedding; ignored by "one_hot". Default: 64.
        latents: Kind of latents, such as "tree:32,32,32,32". Default: "categorical".
        mode: "table", "digit_sum" or "one_hot". Default: "table".
        embeddings_initializer: Keras initializer of the rows. Default: "uniform".

    Input shape:
        [batch, ..., *value_shape], for example [batch, N * D, r] of trees.

    Output shape:
        [batch, ..., N, E]; of "one_hot" E is D * r.

    Raises:
        ValueError: An argument is out of range, or values of another shape, or a table is given
            values that are not one-hot; tf.errors.InvalidArgumentError in a graph. Where XLA leaves out the
            check, their embeddings are NaN.

    Example:
        >>> layer = CodeEmbedding(10**6, width=8, latents="tree:100,100,100")
        >>> layer(tf.one_hot([[4, 2, 1], [0, 0, 7]], 100)).shape, tuple(layer.table.shape)
        (TensorShape([2, 1, 8]), (1000000, 8))
    """

    def __init__(
        self,
        num_categories: int = 10,
        width: int = 64,
        latents: str = "categorical",
        mode: str = "table",
        embeddings_initializer: str | keras.Initializer | Config = "uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.latent_spec = LatentSpec(1, num_categories, latents)
        self.width = checks.whole("width", width)
        self.mode = checks.choice("mode", mode, MODES)
        self.embeddings_initializer = checks.keras_part(
            "embeddings_initializer", embeddings_initializer, keras.initializers.get
        )
        self.supports_masking = True
        self.table: keras.Variable | None = None
        self._depth, self._digit_size = self.latent_spec.digit_sizes
        digits = np.eye(self._depth, dtype=np.int64)
        self._places = np.asarray(self.latent_spec.join_digits(digits)).reshape(self._depth)
        if self.has_rows and self.latent_spec.num_categories * self.width > checks.INT32_MAX * 4:
            raise ValueError(
                "The table must fit into memory. Set mode='digit_sum', whose size does not depend on "
                f"num_categories. Received: num_categories={num_categories}, width={width}"
            )

    @property
    def has_rows(self) -> bool:
        """Returns whether there is a row for each code; with one digit a sum of digits is that too."""
        return self.mode == "table" and self._depth > 1

    def build(self, inputs_shape: Shape) -> None:
        self._check(inputs_shape)
        if self.mode != "one_hot":
            rows = self._depth * self._digit_size
            if self.has_rows:
                rows = self.latent_spec.num_categories
            self.table = self.add_weight(
                shape=(rows, self.width),
                initializer=self.embeddings_initializer,
                autocast=False,  # A cast would copy all of it.
                name="table",
            )
        self.built = True

    def call(self, inputs: Tensor) -> tf.Tensor:
        self._check(inputs.shape)
        kind = self.latent_spec.kind
        value = kind.over_categories(inputs)
        z = self._by_variable(value)
        if self.mode == "one_hot" or self.table is None:
            found = self._flat(z)
        elif self.has_rows:
            # Of digits with fewer categories than others the rest is no category, whatever it holds.
            masked = kind.masked(value)
            one_hot = self._by_variable(_one_hot(tf.reduce_max(masked, axis=-1))[..., tf.newaxis])
            digits = tf.argmax(masked, axis=-1, output_type=tf.int64)
            found = self._rows(z, self._by_variable(digits[..., tf.newaxis])[..., 0])
            valid = tf.reduce_all(one_hot[..., 0], axis=-1, keepdims=True)
            found = tf.where(valid, found, tf.cast(math.nan, found.dtype))
        else:
            found = tf.linalg.matmul(self._flat(z), tf.cast(self.table.value, z.dtype))
        return tf.cast(found, self.compute_dtype)

    def compute_output_shape(self, inputs_shape: Shape) -> tuple[int | None, ...]:
        lead = inputs_shape[: -self.latent_spec.event_rank]
        count = inputs_shape[len(lead)]
        width = self._depth * self._digit_size if self.mode == "one_hot" else self.width
        return (*lead, None if count is None else count // self._depth, width)

    def check_model(self, latent_spec: LatentSpec, estimators: Sequence[Estimator]) -> None:
        """Refuses latents and estimators of a model whose values the layer cannot read.

        Raises:
            ValueError: Another kind of latents, or relaxed samples or digits of -1 and 1 for a table.
        """
        own, other = self.latent_spec, latent_spec
        if (own.latents, own.num_categories) != (other.latents, other.num_categories):
            raise ValueError(
                "CodeEmbedding must have the num_categories and the latents of its model. Received: "
                f"num_categories={own.num_categories}, latents={own.latents!r}; model with "
                f"num_categories={other.num_categories}, latents={other.latents!r}"
            )
        if self.has_rows and other.code_values != "zero_one":
            raise ValueError(
                "A table reads digits of 0 and 1: of -1 and 1 its gradient for the digits would be twice as "
                "large. Set code_values='zero_one', or CodeEmbedding(mode='digit_sum'). "
                f"Received: code_values={other.code_values!r}, mode='table'"
            )
        for estimator in estimators:
            relaxed = estimator.relaxed_control or estimator.mean_field_control
            if self.has_rows and (estimator.spec.relaxed or relaxed):
                raise ValueError(
                    "A table has no rows between codes, so it needs one-hot samples, also in control "
                    "variates. Choose an estimator such as reinmax, straight_through_gumbel_softmax or "
                    "RELAX(objective_control=False), or CodeEmbedding(mode='digit_sum'). "
                    f"Received: estimator={type(estimator).__name__}, mode='table'"
                )

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_categories": self.latent_spec.num_categories,
            "width": self.width,
            "latents": self.latent_spec.latents,
            "mode": self.mode,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }

    def _rows(self, z: tf.Tensor, digits: tf.Tensor) -> tf.Tensor:
        """Rows of digits [..., N, D], for values z [..., N, D, r] with the multilinear gradient."""
        codes = tf.reduce_sum(digits * self._places, axis=-1)
        variable: Any = self.table
        table, highest = variable.value, self.latent_spec.num_categories - 1

        @tf.custom_gradient
        def gradient_alone(z: tf.Tensor) -> WithGradient:
            def backward(upstream: tf.Tensor) -> tf.Tensor:
                upstream, parts = tf.convert_to_tensor(upstream), []
                for depth, place in enumerate(self._places):
                    change = (
                        tf.range(self._digit_size, dtype=tf.int64) - digits[..., depth, tf.newaxis]
                    )
                    # Digits of fewer categories are masked where the code would leave the table.
                    others = tf.clip_by_value(codes[..., tf.newaxis] + change * place, 0, highest)
                    rows = tf.cast(tf.gather(table, others), upstream.dtype)
                    parts.append(tf.linalg.matvec(rows, upstream))
                return tf.cast(tf.stack(parts, axis=-2), z.dtype)

            shape = tf.concat([tf.shape(codes), [self.width]], axis=0)
            return tf.zeros(shape, table.dtype), backward

        return tf.gather(table, codes) + gradient_alone(z)

    def _by_variable(self, digits: tf.Tensor) -> tf.Tensor:
        """Returns [..., N * D, r] as [..., N, D, r]."""
        lead, count = digits.shape[:-2], digits.shape[-2]
        shape = [-1 if count is None else count // self._depth, self._depth, digits.shape[-1]]
        grouped = tf.reshape(digits, tf.concat([tf.shape(digits)[:-2], shape], axis=0))
        return tf.ensure_shape(grouped, [*lead, None if shape[0] == -1 else shape[0], *shape[1:]])

    def _flat(self, z: tf.Tensor) -> tf.Tensor:
        """Values [..., N, D, r] as [..., N, D * r]."""
        size = self._depth * self._digit_size
        flat = tf.reshape(z, tf.concat([tf.shape(z)[:-2], [size]], axis=0))
        return tf.ensure_shape(flat, [*z.shape[:-2], size])

    def _check(self, shape: Shape) -> None:
        own = self.latent_spec.shape
        rank = len(own)
        event = tuple(shape[-rank:]) if len(shape) > rank else ()
        fits = event and event[1:] == own[1:] and (event[0] is None or event[0] % own[0] == 0)
        if not fits:
            raise ValueError(
                f"inputs must be values [batch, ..., {', '.join(['N * ' + str(own[0]), *map(str, own[1:])])}]"
                f" of {self.latent_spec.latents} latents with num_categories="
                f"{self.latent_spec.num_categories}. Give the layer the latents of its model. "
                f"Received: inputs.shape={tuple(shape)}"
            )


def _one_hot(highest: tf.Tensor) -> tf.Tensor:
    """Returns whether digits are one-hot by their highest numbers, bool of the same shape; they must be.

    Raises:
        ValueError: Other digits; tf.errors.InvalidArgumentError in a graph.
    """
    right = tf.abs(highest - 1.0) <= ROUNDING
    rule = (
        "A table has no rows between codes, so it reads one-hot digits alone. Sample them by an estimator "
        "such as reinmax or straight_through_gumbel_softmax, or take CodeEmbedding(mode='digit_sum')."
    )
    if is_known(highest):
        known = highest.numpy()
        if not np.all(right):
            raise ValueError(
                f"{rule} Received: digits whose highest numbers are {known.min():g} to {known.max():g}"
            )
        return right
    received = "Received: digits whose lowest and highest maximum are"
    ends = tf.reduce_min(highest), tf.reduce_max(highest)
    return required(right, tf.reduce_all(right), f"{rule} {received}", *ends)
