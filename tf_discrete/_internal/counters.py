"""Counts that a layer or a model saves; the seeds of its passes are folded from them."""

from __future__ import annotations

import keras


def add(layer: keras.layers.Layer, name: str, aggregation: str = "none") -> keras.Variable:
    """Returns a new int64 weight of a layer that starts at 0.

    Args:
        layer: Keras layer or model.
        name: Name of the weight.
        aggregation: How the counts of replicas are merged, see `keras.layers.Layer.add_weight`. Default:
            "none", every replica has its own.
    """
    return layer.add_weight(
        shape=(),
        dtype="int64",
        initializer="zeros",
        trainable=False,
        aggregation=aggregation,
        name=name,
    )
