"""Models that the smallest uses share."""

from __future__ import annotations

import functools
from typing import Any

import keras

import tf_discrete as tfd


@functools.cache
def vae() -> Any:
    """One tiny model for all that only read one."""
    return tfd.CategoricalVAE((2, 2, 1), num_variables=2, num_categories=2, hidden_units=())


@functools.cache
def prior() -> Any:
    """One tiny prior for all that only read one."""
    return tfd.AutoregressivePrior(num_variables=3, units=2, embedding_units=2)


@functools.cache
def head() -> Any:
    image, y = keras.Input([3]), keras.Input([2])
    return keras.Model([image, y], keras.layers.Dense(1)(keras.layers.concatenate([image, y])))
