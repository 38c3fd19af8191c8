"""Fingerprints: of a model's weights, so that codes are not taken for those of another, and of files."""

from __future__ import annotations

import hashlib
import os

import keras
import numpy as np

from tf_discrete._internal import checks

_CHUNK = 1 << 20


def model_digest(model: keras.Model) -> str:
    """Returns the SHA-256 of a model's class and of all its weights that are numbers with a point.

    Counters of steps are left out: they change nothing that a trained model computes. The digest of a
    model that was saved and loaded again is the same.

    Args:
        model: a built Keras model.

    Raises:
        ValueError: No Keras model.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        >>> model_digest(model)[:8] == model_digest(model)[:8]
        True
    """
    checks.instance("model", model, keras.layers.Layer, "a Keras model")
    digest = hashlib.sha256(type(model).__name__.encode())
    for weight in model.weights:
        if keras.backend.is_float_dtype(weight.dtype):
            update_with_array(digest, np.asarray(weight))
    return digest.hexdigest()


def digest_of(model: keras.Model | str) -> str:
    """Returns the `model_digest` of a model, or a digest as it is.

    Raises:
        ValueError: Neither a Keras model nor a string.
    """
    if not isinstance(model, (str, keras.layers.Layer)):
        checks.refuse("model", "a Keras model or its digest", model)
    return model if isinstance(model, str) else model_digest(model)


def update_with_array(digest: hashlib._Hash, array: np.ndarray) -> None:
    """Adds an array, its type and its shape to a digest, the same on every machine."""
    digest.update(f"{array.dtype.name}{array.shape}".encode())
    array = np.ascontiguousarray(array)
    digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
