"""Golden numbers of the categorical VAE's objectives: `python -m tests.golden.vae_objectives`.

Compares losses, terms and gradients of tiny models with the committed numbers; with --regenerate it writes
them anew. Models are in float64 and their weights are set here, so the numbers hold on any processor.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.models import CategoricalVAE

FILE = pathlib.Path(__file__).with_suffix(".json")
TOLERANCE = 1e-6
"""Of every number, relative to the largest of its tensor."""

SETTINGS: list[dict[str, Any]] = [
    {"objective": "elbo", "estimator": "enumeration"},
    {"objective": "elbo", "estimator": "gumbel_softmax", "num_samples": 2},
    {"objective": "elbo", "estimator": "nvil", "num_samples": 2},
    {"objective": "elbo", "estimator": "vimco", "num_samples": 3},
    {"objective": "importance_weighted", "estimator": "vimco", "num_samples": 3},
    {"objective": "relaxed_elbo", "estimator": "gumbel_softmax", "num_samples": 2},
    {"objective": "relaxed_importance_weighted", "estimator": "gumbel_softmax", "num_samples": 3},
    {"objective": "doubly_reparameterized", "estimator": "gumbel_softmax", "num_samples": 3},
]
LATENTS: list[dict[str, Any]] = [
    {"latents": "categorical", "num_categories": 3},
    {"latents": "bernoulli", "num_categories": 2},
]
LAYERS: list[dict[str, Any]] = [
    {"num_variables": 2, "hidden_units": ()},
    {"num_variables": 2, "hidden_units": (3,), "activation": "tanh"},
    {"num_variables": (2, 1), "hidden_units": ()},
    {"num_variables": (2, 1), "hidden_units": (3,), "activation": "tanh"},
]


def cases() -> Iterator[dict[str, Any]]:
    """The arguments of each model."""
    shared = {"data_shape": (4,), "prior": "learned", "kl_weight": 0.7}
    for setting in SETTINGS:
        for latents in LATENTS:
            for layers in LAYERS:
                yield {**shared, **setting, **latents, **layers}
    yield {**shared, **SETTINGS[0], **LATENTS[0], **LAYERS[0], "free_bits": 0.3}


def plain_cases() -> list[dict[str, Any]]:
    """The same as JSON holds them."""
    return json.loads(json.dumps(list(cases())))


def make(case: dict[str, Any]) -> tuple[CategoricalVAE, list[keras.Variable]]:
    """A model, and its weights from those of q to those of p."""
    model = CategoricalVAE(**case)
    networks = [*model.chain.maps, model.decoder, *model.prior.maps]
    return model, [*(weight for one in networks for weight in one.weights), model.prior.last.logits]


def numbers(case: dict[str, Any]) -> dict[str, Any]:
    """The loss and the terms of each example, and the gradients of the summed loss."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model, weights = make(case)
    finally:
        keras.config.set_dtype_policy(policy)
    random = np.random.RandomState(0)
    for weight in weights:
        weight.assign(random.normal(scale=0.8, size=weight.shape))
    for weight in [v for layer in model.estimators for v in layer.trainable_variables]:
        weight.assign(np.full(weight.shape, 0.1))
    x = tf.constant(random.uniform(size=[3, 4]) < 0.5, tf.float64)
    with tf.GradientTape() as tape:
        terms = model.objective(x, seeds.base(1), training=True)
        loss = tf.reduce_sum(terms.loss)
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    return {
        "loss": terms.loss.numpy().tolist(),
        "auxiliary": terms.auxiliary.numpy().tolist(),
        "terms": {name: value.numpy().tolist() for name, value in terms.terms.items()},
        "gradients": [gradient.numpy().ravel().tolist() for gradient in gradients],
    }


def golden() -> list[dict[str, Any]]:
    """The committed cases: `arguments` and `numbers` of each."""
    return json.loads(FILE.read_text())


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Names what differs by more than the tolerance."""
    pairs = [(name, found[name], expected[name]) for name in ("loss", "auxiliary")]
    pairs += [(name, found["terms"][name], value) for name, value in expected["terms"].items()]
    for index, value in enumerate(expected["gradients"]):
        pairs.append((f"gradient {index}", found["gradients"][index], value))
    lines = []
    for name, one, two in pairs:
        error = np.abs(np.subtract(one, two)).max()
        if not error <= TOLERANCE * max(np.abs(two).max(), 1e-3):
            lines.append(f"{name}: {one}, {two} expected")
    return lines


def main() -> None:
    """Prints the differences, or writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regenerate", action="store_true")
    if parser.parse_args().regenerate:
        rows = [json.dumps({"arguments": case, "numbers": numbers(case)}) for case in cases()]
        FILE.write_text("[\n" + ",\n".join(rows) + "\n]\n")
        return
    for entry in golden():
        for line in differences(numbers(entry["arguments"]), entry["numbers"]):
            print(entry["arguments"], line)


if __name__ == "__main__":
    main()
