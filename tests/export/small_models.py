"""Small models with generic weights: every public model, and the variants that export differently."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import export, likelihoods, models
from tf_discrete.layers import quantizers

ARGUMENTS = {
    "data_shape": (8, 8, 1),
    "num_variables": 3,
    "num_categories": 4,
    "num_classes": 3,
    "hidden_units": (16,),
}
"""Those of them that a model's constructor takes are given to it."""

CLASSES = {
    name: value
    for name, value in vars(models).items()
    if isinstance(value, type)
    and issubclass(value, models.DiscreteModel)
    and value is not models.DiscreteModel
}

VARIANTS: dict[str, dict[str, Any]] = {
    "bernoulli": {"latents": "bernoulli", "num_categories": 2, "prior": "learned"},
    "conv": {"encoder": "conv", "data_shape": (9, 8, 3)},
    "intensity": {"likelihood": "categorical_intensity", "prior": "learned"},
    "code_prior": {"code_prior": functools.partial(models.AutoregressivePrior, units=8)},
    "gaussian": {"likelihood": likelihoods.Gaussian(scale=None)},
    "mixed_float16": {"policy": "mixed_float16"},
    "mixed_bfloat16": {"policy": "mixed_bfloat16"},
}
"""Of `CategoricalVAE`."""

OWN: dict[str, dict[str, Any]] = {
    "QuantizedAutoencoder": {
        "quantizer": quantizers.VectorQuantizer(5),
        "latent_shape": (3, 4),
    },
    "VariationalStateTabulation": {
        "num_actions": 3,
        "num_bits": 5,
        "likelihood": "bernoulli",
    },
}
"""Further arguments of classes that have their own."""

NAMES = (*CLASSES, *VARIANTS)
WHOLE = ("CategoricalVAE", "QuantizedAutoencoder", "SemiSupervisedVAE")
"""One of each way to a code, exported by `make test`; the other models and variants by `make test-slow`."""


def _each(names: Iterable[str]) -> pytest.MarkDecorator:
    marked = [pytest.param(n, marks=[] if n in WHOLE else pytest.mark.slow) for n in names]
    return pytest.mark.parametrize("name", marked)


every_model, every_class = _each(NAMES), _each(CLASSES)
SEEDS = ([3, 4], [3, 5])


def make(name: str, **changes: Any) -> models.DiscreteModel:
    """A model by its name in `NAMES`, with other arguments."""
    cls = CLASSES.get(name, models.CategoricalVAE)
    variant = dict(VARIANTS.get(name, OWN.get(name, {})))
    with dtype_policy(variant.pop("policy", "float32")):
        known = inspect.signature(cls).parameters
        arguments: dict[str, Any] = {key: value for key, value in ARGUMENTS.items() if key in known}
        model = cls(**{**arguments, **variant, **changes})
    generator = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(generator.normal(scale=0.4, size=weight.shape))
    return model


def inputs(
    signature: export.Signature, batch_size: int, seed: list[int], categories: int
) -> dict[str, np.ndarray]:
    """Inputs of a signature, the same for the same arguments."""
    generator = np.random.default_rng(batch_size)
    values: dict[str, np.ndarray] = {}
    for spec in signature.inputs:
        if spec.name == "seed":
            values["seed"] = np.array(seed, np.int32)
        elif spec.shape.rank == 0:  # Enough for several chunks of the bound and a rest.
            values[spec.name] = np.array(batch_size if spec.name == "num" else 230, np.int32)
        else:
            shape = [batch_size, *spec.shape[1:]]
            if spec.dtype.is_integer:
                values[spec.name] = generator.integers(0, categories, shape, dtype=np.int32)
            else:
                values[spec.name] = generator.uniform(size=shape).astype(np.float32)
    return values


def compiled(signature: export.Signature) -> Any:
    """The function of a signature, compiled, with float32 outputs."""

    def fn(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            name: tf.cast(value, tf.float32) if value.dtype.is_floating else value
            for name, value in signature.fn(*arguments).items()
        }

    return tf.function(fn, input_signature=list(signature.inputs), autograph=False)


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Sets Keras' global dtype policy for a while."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
