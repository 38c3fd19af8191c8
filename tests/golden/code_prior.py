"""Golden numbers of models with a prior of their codes: `python -m tests.golden.code_prior`.

Compares the terms of tiny models with a `code_prior` in some steps with the committed numbers; with
--regenerate it writes them anew. The numbers are those of `WithPrior`, a wrapper that trained both before.
Models are in float64 and their weights are set here, so the numbers hold on any processor.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.golden.categorical_vae import differences
from tf_discrete import seeds
from tf_discrete.models import AutoregressivePrior, CategoricalVAE, SemanticHashingAutoencoder
from tf_discrete.models.autoencoder import DiscreteAutoencoder

FILE = pathlib.Path(__file__).with_suffix(".json")
TOLERANCE = 1e-6
"""Relative, or absolute where a number is below 1; the numbers are of three steps in float64."""

CASES = ("CategoricalVAE", "CategoricalVAE-two-layers", "SemanticHashingAutoencoder")
_OPTIONS = {"units": 4, "embedding_units": 3, "chunk_size": 2}
_SHARED = {"data_shape": (4,), "hidden_units": (5,)}


def make(case: str) -> DiscreteAutoencoder:
    """Returns a model with a prior of its codes; only its weights are not set yet."""
    if case == "SemanticHashingAutoencoder":
        prior = AutoregressivePrior(5, 2, **_OPTIONS)
        return SemanticHashingAutoencoder(**_SHARED, num_bits=5, code_prior=prior)
    num_variables: Any = 3 if case == "CategoricalVAE" else (3, 2)
    prior = AutoregressivePrior(int(np.sum(num_variables)), 3, **_OPTIONS)
    return CategoricalVAE(
        **_SHARED, num_variables=num_variables, num_categories=3, code_prior=prior
    )


def weights_of(model: Any) -> list[keras.Variable]:
    """Returns the weights of the networks, then those of the prior of the codes."""
    networks = [model.encoder, model.decoder]
    if isinstance(model, CategoricalVAE):
        networks += [*model.chain.maps[1:], *model.prior.maps]
    return [weight for one in (*networks, model.code_prior) for weight in one.weights]


def numbers(case: str) -> dict[str, Any]:
    """Returns the terms in three steps of gradient descent, and codes of the prior after them."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = make(case)
    finally:
        keras.config.set_dtype_policy(policy)
    return steps(model, weights_of(model))


def steps(model: Any, weights: list[keras.Variable]) -> dict[str, Any]:
    """Sets the weights and trains them; the numbers."""
    random = np.random.RandomState(0)
    for weight in weights:
        weight.assign(random.normal(scale=0.8, size=weight.shape))
    x = tf.constant(random.uniform(size=[6, 4]) < 0.5, tf.float64)
    found = []
    for step in range(3):
        with tf.GradientTape() as tape:
            terms = model.objective(x, seeds.base(step), training=True)
            total = tf.reduce_mean(terms.loss) + tf.reduce_mean(terms.auxiliary)
        gradients = tape.gradient(total, [weight.value for weight in weights])
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                weight.assign_sub(0.2 * tf.convert_to_tensor(gradient))
        named = {"loss": terms.loss, "auxiliary": terms.auxiliary, **terms.terms}
        found.append({name: value.numpy().tolist() for name, value in named.items()})
    sampled = model.sample_codes(5, seeds.base(7), temperature=0.7, top_p=0.9)
    bound = model.log_likelihood(x, 3, seed=1)
    return {"steps": found, "codes": sampled.numpy().tolist(), "bound": bound.numpy().tolist()}


def golden() -> dict[str, Any]:
    """Returns the committed numbers of each case."""
    return json.loads(FILE.read_text())


def main() -> None:
    """Prints the differences, or writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regenerate", action="store_true")
    found = {case: numbers(case) for case in CASES}
    if parser.parse_args().regenerate:
        rows = [f"{json.dumps(case)}: {json.dumps(values)}" for case, values in found.items()]
        FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")
        return
    for line in differences(found, golden(), TOLERANCE):
        print(line)


if __name__ == "__main__":
    main()
