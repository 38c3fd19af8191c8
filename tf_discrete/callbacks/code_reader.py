"""Reads the codes that a model gives to data, from whatever in it is discrete."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.distributions import Discrete
from tf_discrete.layers import StochasticLayer
from tf_discrete.models.base import DiscreteModel
from tf_discrete.models.batches import inputs_of
from tf_discrete.types import DataLike, Inputs, Tensor

Reader = Callable[[Inputs], tuple[Tensor, Tensor | None]]


def code_reader(model: keras.Model, layer: str | None = None) -> Reader:
    """Returns a compiled function from inputs to codes and their probabilities.

    Args:
        model: with `posterior`, as `CategoricalVAE` has it, or with a `StochasticLayer` inside.
        layer: Name of the stochastic layer to read; may be left out if there is only one.

    Returns:
        reader: maps a batch of inputs to codes, int32 [R, N], the most probable ones, and
            probabilities, float [R, N, K] ([R, N], of a 1, for Bernoulli latents; None of deterministic
            codes). Time steps and the like count as rows; those that a Keras mask excludes are left out.

    Raises:
        ValueError: a model without discrete latents, an unknown name, or several layers and no name.
    """
    if layer is None and getattr(model, "deterministic_codes", False):
        return tf.function(
            lambda x: (model.encode(inputs_of(x)), None), reduce_retracing=True, autograph=False
        )
    if layer is None and isinstance(model, DiscreteModel) and hasattr(model, "posterior"):
        return tf.function(
            lambda x: _codes_and_probs(model.posterior(inputs_of(x))),
            reduce_retracing=True,
            autograph=False,
        )
    chosen = _find_layer(model, layer)

    def read(x: Tensor) -> tuple[Tensor, Tensor]:
        with chosen.record() as calls:
            model(x, training=False)
        rows = [rows if mask is None else tf.boolean_mask(rows, mask) for rows, mask in calls]
        return _codes_and_probs(chosen.posterior(tf.concat(rows, axis=0)))

    return tf.function(read, reduce_retracing=True, autograph=False)


def check_data(data: DataLike) -> None:
    """Refuses what is neither a `tf.data.Dataset` nor arrays with an axis for the examples.

    Raises:
        ValueError: Names the argument.
    """
    if isinstance(data, tf.data.Dataset):
        return
    arrays = keras.tree.flatten(data)
    right = all(isinstance(array, (np.ndarray, tf.Tensor)) and array.ndim > 0 for array in arrays)
    if not arrays or not right:
        checks.refuse("data", "arrays, or a batched tf.data.Dataset", data)


def input_batches(data: DataLike, max_examples: int, batch_size: int) -> Iterator[Inputs]:
    """Returns the inputs of at most `max_examples` examples, in batches.

    Args:
        data: what `fit` takes as x: arrays, or a batched `tf.data.Dataset`, also of (x, y).
        max_examples: Number of examples that are read, from the start.
        batch_size: Batch size for arrays; a data set has its own.
    """
    if not isinstance(data, tf.data.Dataset):
        first = keras.tree.map_structure(lambda array: array[:max_examples], data)
        data = tf.data.Dataset.from_tensor_slices(first).batch(batch_size)
    seen = 0
    for element in data:
        x, _, _ = keras.utils.unpack_x_y_sample_weight(element)
        size = int(tf.shape(keras.tree.flatten(x)[0])[0])
        room = max_examples - seen
        yield x if size <= room else keras.tree.map_structure(lambda t, n=room: t[:n], x)
        seen += size
        if seen >= max_examples:
            return


def _find_layer(model: keras.Model, name: str | None) -> StochasticLayer:
    found = [inner for inner in model._flatten_layers() if isinstance(inner, StochasticLayer)]
    if not found:
        raise ValueError(
            "The model holds no stochastic layer. Put a layer of tf_discrete.layers into it, or train a "
            "model of tf_discrete.models and leave out the name of a layer. "
            f"Received: model={model.name!r}, layer={name!r}"
        )
    names = [inner.name for inner in found]
    if name is None and len(found) > 1:
        raise ValueError(
            f"The model holds several stochastic layers: {', '.join(names)}. Give the name of one. "
            "Received: layer=None"
        )
    if name is not None and name not in names:
        raise ValueError(
            f"layer must name a stochastic layer of the model: {', '.join(names)}. "
            f"Received: layer={name!r}"
        )
    return found[0 if name is None else names.index(name)]


def _codes_and_probs(distribution: Discrete) -> tuple[Tensor, Tensor]:
    code = distribution.code(distribution.mode())
    return distribution.digits(code), distribution.probs
