"""`InputOutputSplit`: which numbers of an observation are given, x, and which are to be predicted, y."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete._internal.batch_image import image_of
from tf_discrete._internal.input_checks import same_batch
from tf_discrete.models.networks import flatten
from tf_discrete.types import Batch, Config, Inputs, Tensor


class InputOutputSplit:
    """Splits observations into x and y, each one vector, and puts predictions of y back in their place.

    Args:
        data_shape: Shape of an observation, or of x where y is an array of its own.
        output_shape: Shape of y as an array of its own; None: y is a part of the observation.
        mask: bool [*data_shape], true where the observation belongs to x; None: the first half of the
            first axis.

    Raises:
        ValueError: halves or a mask that do not fit.

    Example:
        >>> parts = InputOutputSplit((2, 2), mask=[[True, False], [True, False]])
        >>> x, y = parts.split(tf.constant([[[1.0, 2.0], [3.0, 4.0]]]))
        >>> x.numpy().tolist(), y.numpy().tolist()
        ([[1.0, 3.0]], [[2.0, 4.0]])
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        output_shape: Sequence[int] | None = None,
        mask: ArrayLike | None = None,
    ):
        self.data_shape = checks.sizes("data_shape", data_shape)
        self.output_shape = (
            None if output_shape is None else checks.sizes("output_shape", output_shape)
        )
        self.mask: np.ndarray | None = None
        if self.output_shape is not None:
            if mask is not None:
                raise ValueError(
                    "A mask divides one observation; with an output_shape there are two arrays. Give one of "
                    f"the two. Received: output_shape={self.output_shape} and a mask"
                )
            self.num_inputs, self.num_outputs = (
                math.prod(self.data_shape),
                math.prod(self.output_shape),
            )
            return
        self.mask = _mask(self.data_shape, mask)
        flat = (_first_half(self.data_shape) if self.mask is None else self.mask).reshape(-1)
        self._x, self._y = np.flatnonzero(flat), np.flatnonzero(~flat)
        self._places = np.argsort(np.concatenate([self._x, self._y]))
        self.num_inputs, self.num_outputs = len(self._x), len(self._y)

    def unpack_batch(self, data: Batch) -> Inputs:
        """Unpacks a batch from `fit` for `split`: without labels, but with y."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        x = image_of(x)
        return x if self.output_shape is None else (x, y)

    def split(self, x: Inputs) -> tuple[tf.Tensor, tf.Tensor]:
        """The two parts of observations, [B, inputs] and [B, outputs]; of a pair (x, y) if those are two."""
        if self.output_shape is None:
            flat = flatten(x, self.data_shape)
            return tf.gather(flat, self._x, axis=1), tf.gather(flat, self._y, axis=1)
        if not isinstance(x, (tuple, list)) or len(x) != 2 or x[1] is None:
            raise ValueError(
                "With an output_shape the model learns from two arrays. Give (x, y): fit(x, y), "
                f"log_likelihood((x, y)). Received: x={type(x).__name__}"
                + (" without a second array" if isinstance(x, (tuple, list)) else "")
            )
        one, other = flatten(x[0], self.data_shape), flatten(x[1], self.output_shape, "y")
        return one, same_batch(one, other)

    def inputs(self, x: Inputs) -> tf.Tensor:
        """Returns the given part, [B, inputs], of observations or, with an output_shape, of x or (x, y)."""
        if self.output_shape is None:
            return self.split(x)[0]
        return flatten(x[0] if isinstance(x, (tuple, list)) else x, self.data_shape)

    def join(self, x: Inputs, outputs: Tensor) -> tf.Tensor:
        """Predictions [*A, B, outputs] as arrays of y, or in their place in the observations x."""
        lead = tf.shape(outputs)[:-1]
        shape = self.output_shape
        if shape is None:
            shape = self.data_shape
            given = tf.cast(self.inputs(x), outputs.dtype)
            given = tf.broadcast_to(given, tf.concat([lead, [self.num_inputs]], axis=0))
            outputs = tf.gather(tf.concat([given, outputs], axis=-1), self._places, axis=-1)
        joined = tf.reshape(outputs, tf.concat([lead, shape], axis=0))
        return tf.ensure_shape(joined, [*outputs.shape[:-1], *shape])

    def get_config(self) -> Config:
        return {
            "data_shape": self.data_shape,
            "output_shape": self.output_shape,
            "mask": None if self.mask is None else self.mask.tolist(),
        }


def _first_half(shape: tuple[int, ...]) -> np.ndarray:
    if not shape or shape[0] % 2:
        raise ValueError(
            "An observation is cut in two halves along its first axis, whose size must be even. Give a "
            f"mask, or an output_shape for a y of its own. Received: data_shape={shape}"
        )
    mask = np.zeros(shape, bool)
    mask[: shape[0] // 2] = True
    return mask


def _mask(shape: tuple[int, ...], mask: ArrayLike | None) -> np.ndarray | None:
    if mask is None:
        return None
    try:
        array = np.asarray(mask)
    except ValueError:  # Rows of several lengths.
        array = np.asarray(mask, object)
    if array.shape != shape or array.dtype != bool:
        raise ValueError(
            f"mask must be bool and have the shape of an observation, {shape}. "
            f"Received: mask of shape {array.shape} and dtype {array.dtype}"
        )
    if array.all() or not array.any():
        raise ValueError(
            "mask must leave something to be given and something to be predicted. "
            f"Received: mask with {int(array.sum())} of {array.size} true"
        )
    return array
