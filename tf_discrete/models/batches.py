"""Functions of the batches and the arrays that `fit` takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete._internal.assertions import is_known
from tf_discrete._internal.batch_image import image_of
from tf_discrete.types import Batch, DataLike, Inputs, Tensor

ROWS_AT_A_TIME = 10_000
"""Rows of an array that are checked at a time: a copy of the whole array may not fit into memory."""


def inputs_of(data: Batch) -> tf.Tensor:
    """Returns the observations of a batch from `fit`: a tensor, a dict with `image`, or (x, y)."""
    x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    return image_of(x)


def batch_size(x: Inputs) -> tf.Tensor:
    """Returns the number of examples in a batch of tensors, int32 scalar."""
    return tf.shape(keras.tree.flatten(x)[0])[0]


def batch_axis(input_shape: Any) -> int | None:
    """Returns the size of the batch axis, given the shape or the shapes of inputs."""
    while isinstance(input_shape, dict) or not isinstance(input_shape[0], (int, type(None))):
        several = isinstance(input_shape, dict)
        input_shape = next(iter(input_shape.values())) if several else input_shape[0]
    return input_shape[0]


def batch_mean(values: Tensor) -> tf.Tensor:
    """Computes the mean over a batch; 0 for an empty one."""
    return tf.math.divide_no_nan(tf.reduce_sum(values), tf.cast(tf.size(values), values.dtype))


def slices(x: DataLike | None, y: Tensor | None = None) -> Iterator[Batch]:
    """Cuts arrays in memory into batches as `fit` unpacks them; of other data there are none.

    Args:
        x: What `fit` takes: arrays, a tuple or a dict of arrays, or a data set.
        y: What `fit` takes. Default: None, x alone.
    """
    arrays = [leaf for leaf in keras.tree.flatten((x, y)) if leaf is not None]
    if not arrays or not all(_in_memory(array) for array in arrays):
        return
    for start in range(0, len(arrays[0]), ROWS_AT_A_TIME):
        part = _rows_from(start, x), _rows_from(start, y)
        yield part[0] if y is None else part


def _rows_from(start: int, arrays: DataLike | None) -> DataLike | None:
    return keras.tree.map_structure(
        lambda array: None if array is None else array[start : start + ROWS_AT_A_TIME], arrays
    )


def _in_memory(data: Tensor) -> bool:
    """Returns whether data is an array whose values are known."""
    known = isinstance(data, np.ndarray) or (tf.is_tensor(data) and is_known(data))
    return known and len(data.shape) > 0
