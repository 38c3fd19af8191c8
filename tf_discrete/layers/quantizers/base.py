"""`Quantizer`: what all layers share that replace vectors by codewords with a number."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import checks, input_checks
from tf_discrete._internal.assertions import is_known, required
from tf_discrete.layers import positions
from tf_discrete.types import Config, Shape, Tensor


class Quantized(NamedTuple):
    """Vectors [..., D] after quantisation.

    Attributes:
        vectors: float [..., D]; carries the gradient.
        codes: int [..., N], -1 where masked.
        loss: float [...], at least float32, to be minimised; 0 where masked.
    """

    vectors: Tensor
    codes: Tensor
    loss: Tensor


class Quantizer(keras.layers.Layer):
    """Base class of quantisers: vectors [..., D] to vectors [..., D] and codes [..., N].

    Called, it returns vectors and codes and adds `loss_weight` times the mean of its loss over the positions
    to the loss of the model. `quantize_vectors` returns the loss instead, `encode` the codes alone, and
    `decode` the vectors of codes. All of them take any number of leading axes.

    Everything is computed in at least float32 and codes are integers from the start, so that they are the
    same under every dtype policy. Positions that a mask excludes have the code -1 and a vector of zeros, and
    change nothing else.

    A subclass implements `num_variables`, `num_categories`, `_quantize`, `_latents`, and, if it needs
    weights, `_build`. Where it works on vectors of another size than those that it is given,
    `latent_size` says so, and an affine map leads there and back.

    Args:
        loss_weight: Float >= 0, weight of the loss that a call adds. Default: 1.0.

    Raises:
        ValueError: An argument is out of range.
    """

    has_loss = True

    def __init__(self, loss_weight: float = 1.0, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.loss_weight = checks.number("loss_weight", loss_weight, lowest=0)
        self.supports_masking = True
        self.project_in: keras.layers.Dense | None = None
        self.project_out: keras.layers.Dense | None = None

    @property
    def num_variables(self) -> int:
        """N, the codes of one position."""
        raise NotImplementedError

    @property
    def num_categories(self) -> int:
        """K, the values of each."""
        raise NotImplementedError

    @property
    def latent_size(self) -> int | None:
        """Size of the vectors that are quantised; None for that of the input."""
        return None

    @property
    def code_dtype(self) -> tf.DType:
        """Returns int32, or int64 if there are more than 2^31 - 1 categories."""
        return tf.int32 if self.num_categories <= checks.INT32_MAX else tf.int64

    @property
    def wide(self) -> tf.DType:
        """Returns the dtype of all weights and computations: float64 under that policy, else float32."""
        return tf.float64 if self.variable_dtype == "float64" else tf.float32

    # What users call.

    def call(
        self, inputs: Tensor, training: bool = False, mask: Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        found = self.quantize_vectors(inputs, training, mask)
        if self.has_loss:
            counted = tf.cast(tf.reduce_any(found.codes >= 0, axis=-1), self.wide)
            # A refused input makes its loss NaN, and it must not be left out of the mean.
            total = tf.reduce_sum(found.loss)
            mean = total / tf.maximum(tf.reduce_sum(counted), 1.0)
            self.add_loss(tf.cast(self.loss_weight * mean, keras.config.floatx()))
        return found.vectors, found.codes

    def quantize_vectors(
        self, inputs: Tensor, training: bool = False, mask: Tensor | None = None
    ) -> Quantized:
        """Quantises vectors.

        Args:
            inputs: float [..., D].
            training: Bool, whether statistics of the codebook are updated. The codes are the same. Default:
                False.
            mask: bool [...] or with fewer axes, false where there is padding. Default: None.

        Raises:
            ValueError: Inputs or a mask of another shape. Inputs that are not finite, in a graph as
                tf.errors.InvalidArgumentError; where no check is possible, in XLA, their vectors and loss
                are NaN and their codes -1.
        """
        inputs = self._vectors("inputs", inputs)
        rows, valid = self._as_rows(tf.cast(inputs, self.wide), mask)
        finite = tf.reduce_all(tf.math.is_finite(rows), axis=-1)
        rows = tf.where(finite[:, tf.newaxis], rows, tf.zeros_like(rows))
        vectors, codes, loss = self.quantize_rows(rows, valid & finite, training)
        nan = tf.cast(math.nan, self.wide)
        vectors = tf.where(valid[:, tf.newaxis], vectors, tf.zeros_like(vectors))
        vectors = tf.where(finite[:, tf.newaxis], vectors, nan)
        loss = tf.where(finite, tf.where(valid, loss, tf.zeros_like(loss)), nan)
        codes = tf.where((valid & finite)[:, tf.newaxis], codes, tf.cast(-1, codes.dtype))
        lead = tf.shape(inputs)[:-1]
        return Quantized(
            positions.unfold(tf.cast(vectors, self.compute_dtype), lead, inputs.shape),
            positions.unfold(codes, lead, [*inputs.shape[:-1], self.num_variables]),
            positions.unfold(loss, lead, inputs.shape[:-1]),
        )

    def encode(self, inputs: Tensor, mask: Tensor | None = None) -> tf.Tensor:
        """Returns the codes of vectors [..., D], int [..., N]; see `quantize_vectors`."""
        return self.quantize_vectors(inputs, mask=mask).codes

    def decode(self, codes: Tensor, mask: Tensor | None = None) -> tf.Tensor:
        """Returns the vectors of codes.

        Args:
            codes: int [..., N] in [0, K).
            mask: bool [...] or with fewer axes, false where there is padding: there the vectors are zeros and
                codes may be anything. Default: None.

        Returns:
            vectors: float [..., D], those that the layer returned with the codes.

        Raises:
            ValueError: Codes of another shape or out of range, or a layer that was never built;
                tf.errors.InvalidArgumentError in a graph. Where no check is possible, in XLA, the vectors
                are NaN.
        """
        if not self.built:
            raise ValueError(
                "A quantiser must know the size of its vectors before it decodes. Call it on vectors once, "
                f"or build([None, size]). Received: built={self.built}"
            )
        codes = self._as_codes(codes)
        rows, valid = self._as_rows(codes, mask, "codes")
        rows = tf.where(valid[:, tf.newaxis], rows, tf.zeros_like(rows))
        rows, inside = self._in_range(rows)
        vectors = self.vectors_of_rows(rows)
        vectors = tf.where(inside[:, tf.newaxis], vectors, tf.cast(math.nan, self.wide))
        vectors = tf.where(valid[:, tf.newaxis], vectors, tf.zeros_like(vectors))
        static = [*codes.shape[:-1], vectors.shape[-1]]
        return positions.unfold(tf.cast(vectors, self.compute_dtype), tf.shape(codes)[:-1], static)

    def adapt(self, vectors: Tensor) -> None:
        """Starts the codebooks at the k-means of vectors; quantisers without a codebook stay as they are.

        Args:
            vectors: float [..., D], at least as many as there are codewords.

        Raises:
            ValueError: There are too few vectors, or some are not finite.
        """
        vectors = self._vectors("vectors", vectors)
        rows, _ = self._as_rows(tf.cast(vectors, self.wide), None, "vectors")
        self.adapt_rows(rows)

    # What quantisers that are made of others call: rows, all finite, in the dtype `wide`.

    def quantize_rows(self, rows: Tensor, valid: Tensor, training: bool) -> Quantized:
        """Quantises rows [R, D]; those that are not `valid`, bool [R], must have no influence on others."""
        found = self._quantize(_apply(self.project_in, rows), valid, training)
        return found._replace(vectors=_apply(self.project_out, found.vectors))

    def vectors_of_rows(self, codes: Tensor) -> tf.Tensor:
        """Returns the vectors [R, D] of codes [R, N] in range."""
        return _apply(self.project_out, self._latents(codes))

    def adapt_rows(self, rows: Tensor) -> None:
        """Starts the codebooks at rows [R, D]."""
        self._adapt(_apply(self.project_in, rows))

    # What a subclass implements.

    def _build(self, size: int) -> None:
        """Creates the weights for latents [R, size]."""

    def _quantize(self, latents: Tensor, valid: Tensor, training: bool) -> Quantized:
        raise NotImplementedError

    def _latents(self, codes: Tensor) -> tf.Tensor:
        raise NotImplementedError

    def _adapt(self, latents: Tensor) -> None:
        pass

    # Keras.

    def build(self, inputs_shape: Shape) -> None:
        size = inputs_shape[-1] if len(inputs_shape) else None
        if size is None:
            raise ValueError(
                "A quantiser must know the size of its vectors. Fix the last axis of the inputs. "
                f"Received: inputs.shape={tuple(inputs_shape)}"
            )
        latent_size = self.latent_size or size
        if latent_size != size:
            dense = {"dtype": self.wide.name}
            self.project_in = keras.layers.Dense(latent_size, name="project_in", **dense)
            self.project_out = keras.layers.Dense(size, name="project_out", **dense)
            self.project_in.build((None, size))
            self.project_out.build((None, latent_size))
        self._build(latent_size)
        self._input_size = size
        self.built = True

    def compute_output_shape(self, inputs_shape: Shape) -> tuple[Shape, Shape]:
        return tuple(inputs_shape), (*inputs_shape[:-1], self.num_variables)

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        vectors, codes = self.compute_output_shape(inputs.shape)
        return (
            keras.KerasTensor(vectors, dtype=self.compute_dtype),
            keras.KerasTensor(codes, dtype=self.code_dtype.name),
        )

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Any:
        return None if previous_mask is None else (previous_mask, previous_mask)

    def get_config(self) -> Config:
        return {**super().get_config(), "loss_weight": self.loss_weight}

    def _weight(self, name: str, shape: Shape, initializer: Any, trainable: bool) -> keras.Variable:
        """Creates a weight that no dtype policy rounds."""
        return self.add_weight(
            shape=shape,
            dtype=self.wide.name,
            initializer=initializer,
            trainable=trainable,
            autocast=False,
            name=name,
        )

    def _vectors(self, name: str, vectors: Tensor) -> tf.Tensor:
        """Returns vectors as floats, and builds the layer for them.

        Raises:
            ValueError: Numbers without an axis, or vectors of another size than before.
        """
        vectors = types.floats(name, vectors)
        if not self.built:
            self.build(vectors.shape)
        if vectors.shape.rank == 0 or vectors.shape[-1] != self._input_size:
            raise ValueError(
                f"{name} must be vectors of size {self._input_size}, for which the quantiser was built. "
                f"Received: {name}.shape={tuple(vectors.shape)}"
            )
        return vectors

    def _as_rows(
        self, values: Tensor, mask: Tensor | None, name: str = "inputs"
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Folds [..., D] into rows [R, D] and a mask into [R]; masked rows of floats become 0."""
        count = tf.reduce_prod(tf.shape(values)[:-1])
        rows = tf.reshape(values, [count, values.shape[-1]])
        if mask is None:
            valid = tf.ones(tf.shape(rows)[:1], tf.bool)
        else:
            valid = positions.rows_of_mask(mask, values, name=name)
            rows = tf.where(valid[:, tf.newaxis], rows, tf.zeros_like(rows))
        if rows.dtype.is_floating:
            rows = input_checks.in_support(rows, input_checks.REAL, name)
        return rows, valid

    def _as_codes(self, codes: Tensor) -> tf.Tensor:
        """Returns codes as int64, [..., N], so that any that is out of range is seen."""
        try:
            codes = tf.convert_to_tensor(codes)
        except (TypeError, ValueError):
            checks.refuse("codes", "integers", codes)
        if not codes.dtype.is_integer:
            raise ValueError(
                "codes must be integers, as the quantiser returned them. "
                f"Received: codes.dtype={codes.dtype.name}"
            )
        if codes.shape.rank == 0 or not self._takes(codes.shape[-1]):
            raise ValueError(
                f"codes must be [..., {self.num_variables}], one number for each variable of a position. "
                f"Received: codes.shape={tuple(codes.shape)}"
            )
        return tf.cast(codes, tf.int64)

    def _takes(self, width: int | None) -> bool:
        """Returns whether this many codes of a position can be decoded."""
        return width == self.num_variables

    def _in_range(self, rows: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns codes [R, N] in range, and which rows were: bool [R]."""
        inside = (rows >= 0) & (rows < self.num_categories)
        rule = (
            f"codes must lie in [0, {self.num_categories}). Give what the quantiser returned, and the mask "
            "where there is padding. Received: minimum, maximum ="
        )
        if is_known(rows):
            array: np.ndarray = rows.numpy()
            if array.size and not inside.numpy().all():
                raise ValueError(f"{rule} {array.min()}, {array.max()}")
        else:
            lowest, highest = tf.reduce_min(rows), tf.reduce_max(rows)
            inside = required(inside, tf.reduce_all(inside), rule, lowest, highest)
        rows = tf.cast(tf.where(inside, rows, tf.zeros_like(rows)), self.code_dtype)
        return rows, tf.reduce_all(inside, axis=-1)


def _apply(projection: keras.layers.Dense | None, rows: Tensor) -> tf.Tensor:
    return rows if projection is None else projection(rows)
