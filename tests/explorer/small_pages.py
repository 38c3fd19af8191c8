"""Small models and pages for the tests of the explorer; nothing is trained, and nothing may be changed."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np

from tf_discrete import explorer, models
from tf_discrete.layers import quantizers
from tf_discrete.types import JsonObject

SHAPE = (8, 8, 1)
LABELS = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])


def examples(shape: tuple[int, int, int] = SHAPE) -> explorer.Examples:
    """Twelve random images with labels."""
    pixels = np.random.default_rng(0).integers(0, 256, [len(LABELS), *shape], dtype=np.uint8)
    return explorer.Examples(pixels, (pixels / 255.0).astype(np.float32), LABELS)


def spread(model: keras.Model) -> keras.Model:
    """Gives a model random weights, larger than those that it starts with, so that its images differ."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        if keras.backend.is_float_dtype(weight.dtype) and weight.ndim:
            size = 1.5 / np.sqrt(np.prod(weight.shape[:-1])) if weight.ndim > 1 else 0.1
            value = random.normal(scale=size, size=weight.shape)
            is_variance = "variance" in weight.path or "gamma" in weight.path
            weight.assign(1.0 + value**2 if is_variance else value)
    return model


@functools.cache
def categorical(**changes: Any) -> models.CategoricalVAE:
    """4 variables of 3 categories, with an LSTM prior."""
    arguments: dict[str, Any] = {
        "num_variables": 4,
        "num_categories": 3,
        "hidden_units": (16, 12),
        "code_prior": lambda n, k: models.AutoregressivePrior(n, k, 3, units=8, embedding_units=5),
    }
    return spread(models.CategoricalVAE(SHAPE, **{**arguments, **changes}))


@functools.cache
def colour() -> models.CategoricalVAE:
    """Dense layers for colour images."""
    options = {"hidden_units": (16, 12), "likelihood": "gaussian"}
    return spread(models.CategoricalVAE((7, 5, 3), 4, 3, **options))


@functools.cache
def many_categories() -> models.CategoricalVAE:
    """2 variables of 40 categories."""
    return categorical(num_variables=2, num_categories=40, code_prior=None)


@functools.cache
def bits() -> models.SemanticHashingAutoencoder:
    """12 bits."""
    return spread(models.SemanticHashingAutoencoder(SHAPE, 12, hidden_units=(16,)))


@functools.cache
def quantized() -> models.QuantizedAutoencoder:
    """3 vectors of 4 numbers, each a sum of one of 5 codewords of both codebooks."""
    quantizer = quantizers.ResidualQuantizer(quantizers.VectorQuantizer(5), num_quantizers=2)
    model = models.QuantizedAutoencoder(SHAPE, quantizer, (3, 4), hidden_units=(16,))
    spread(model.encoder)
    spread(model.decoder)
    for seed, part in enumerate(model.quantizer.parts):
        part.codebook.assign(np.random.default_rng(seed).normal(size=[5, 4]).astype(np.float32))
    return model


@functools.cache
def class_and_style() -> models.SemiSupervisedVAE:
    """10 classes and 3 numbers of style, with layer norm in the decoder."""
    return spread(models.SemiSupervisedVAE(SHAPE, 10, 3, hidden_units=(16,), normalization="batch"))


@functools.cache
def convolutions() -> models.CategoricalVAE:
    """A convolutional decoder of two stochastic layers, for colour images of odd sizes."""
    return spread(
        models.CategoricalVAE(
            (7, 9, 3), (4, 2), 3, encoder="conv", hidden_units=(6,), likelihood="gaussian"
        )
    )


@functools.cache
def payload(model: keras.Model, **options: Any) -> JsonObject:
    """What a page of a model computes with."""
    return explorer.of_model(model, examples(model.data_shape), **options)
