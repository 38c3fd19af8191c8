"""Do codebooks collapse? Quantisers with default arguments on Gaussian vectors, next to Lloyd's k-means.

The same 4096 vectors N(0, I) of size 16 in batches of 256, 512 codes, Adam on the loss of the quantiser and
the squared error. Reported over the seeds: the smallest share of codes in use by any variable, and the mean
squared error per number, also as a multiple of that of k-means on the same vectors. A vector of 9 bits cannot
have a smaller error than 0.46 on new data; k-means is below because it fits these vectors.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import provenance, store, tables
from tf_discrete.layers import quantizers
from tf_discrete.layers.quantizers import k_means
from tf_discrete.types import Tensor
from trainers.common import command_line
from trainers.flags.config import option

RESULTS = "collapse"
VECTORS, SIZE, CODES, BATCH = 4096, 16, 512, 256
LEARNING_RATE = 0.01
QUANTIZERS: dict[str, Callable[[int], quantizers.Quantizer]] = {
    "VectorQuantizer": lambda seed: quantizers.VectorQuantizer(CODES, seed=seed),
    "VectorQuantizer, gradient codebook": lambda seed: quantizers.VectorQuantizer(
        CODES, "gradient", seed=seed
    ),
    "VectorQuantizer, DiVeQ": lambda seed: quantizers.VectorQuantizer(
        CODES, "gradient", "diveq", seed=seed
    ),
    "SimVQ": lambda seed: quantizers.SimVQ(CODES, seed=seed),
    "FiniteScalarQuantizer, 8 x 8 x 8": lambda seed: quantizers.FiniteScalarQuantizer((8, 8, 8)),
    "LookupFreeQuantizer": lambda seed: quantizers.LookupFreeQuantizer(9),
    "LookupFreeQuantizer, spherical": lambda seed: quantizers.LookupFreeQuantizer(
        9, spherical=True
    ),
    "ResidualQuantizer, 2 of them": lambda seed: quantizers.ResidualQuantizer(
        quantizers.VectorQuantizer(CODES, seed=seed), 2
    ),
    "GroupedQuantizer, 2 of them": lambda seed: quantizers.GroupedQuantizer(
        quantizers.VectorQuantizer(CODES, seed=seed), 2
    ),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the benchmark."""

    seeds: int = option(20, "Seeds of vectors and quantisers.", lower=1)
    epochs: int = option(30, "Epochs of 16 steps.", lower=1)


def vectors_of(seed: int) -> tf.Tensor:
    """Returns the vectors of a seed, float32 [4096, 16]."""
    return tf.random.stateless_normal([VECTORS, SIZE], [seed, 7])


def train(layer: quantizers.Quantizer, x: Tensor, epochs: int, seed: int) -> None:
    """Trains a quantiser on vectors."""
    keras.utils.set_random_seed(seed)  # Of affine maps to another size.
    layer.build(x.shape)
    variables = layer.trainable_variables
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(batch: Tensor) -> None:
        with tf.GradientTape() as tape:
            found = layer.quantize_vectors(batch, training=True)
            error = tf.reduce_sum(tf.square(batch - found.vectors), axis=-1)
            loss = tf.reduce_mean(found.loss + error)
        if variables:
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    random = np.random.default_rng(seed)
    for _ in range(epochs):
        for rows in random.permutation(len(x)).reshape(-1, BATCH):
            step(tf.gather(x, rows))


def measure(layer: quantizers.Quantizer, x: Tensor) -> tuple[float, float]:
    """Returns the smallest share of codes in use by a variable, and the mean squared error."""
    vectors, codes = layer(x)
    used = min(len(np.unique(column)) for column in codes.numpy().T)
    return used / layer.num_categories, float(tf.reduce_mean(tf.square(vectors - x)))


def lloyd(x: Tensor, seed: int) -> tuple[float, float]:
    """Returns the same of k-means until nothing moves."""
    codewords = k_means.lloyd(x, CODES, 200, seed)
    indices = k_means.nearest(x, codewords)
    error = float(tf.reduce_mean(tf.square(x - tf.gather(codewords, indices))))
    return len(np.unique(indices)) / CODES, error


def run(config: Config) -> dict[str, Any]:
    """Trains every quantiser with every seed and records the result."""
    made = provenance.record()
    found: dict[str, list[tuple[float, float]]] = {"Lloyd's k-means": []}
    for seed in range(config.seeds):
        found["Lloyd's k-means"].append(lloyd(vectors_of(seed), seed))
    for name, make in QUANTIZERS.items():
        found[name] = []
        for seed in range(config.seeds):
            layer, x = make(seed), vectors_of(seed)
            train(layer, x, config.epochs, seed)
            found[name].append(measure(layer, x))
        print(f"{name}: {found[name]}", flush=True)
    return store.append(
        RESULTS,
        {
            "command": f"python -m benchmarks.quantizers.collapse --seeds={config.seeds} "
            f"--epochs={config.epochs}",
            "seeds": config.seeds,
            "steps": config.epochs * VECTORS // BATCH,
            "use": {name: [use for use, _ in rows] for name, rows in found.items()},
            "error": {name: [error for _, error in rows] for name, rows in found.items()},
            "provenance": made,
        },
    )


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    base = result["error"]["Lloyd's k-means"]
    rows = []
    for name, errors in result["error"].items():
        ratios = [error / own for error, own in zip(errors, base, strict=True)]
        rows.append(
            (
                name,
                f"{100 * min(result['use'][name]):.1f} %",
                f"{statistics.fmean(errors):.3f}",
                f"{statistics.fmean(ratios):.3f}",
                f"{max(ratios):.3f}",
            )
        )
    header = ("quantiser", "codes in use, worst seed", "error", "error / k-means", "worst seed")
    made = result["provenance"]
    return tables.markdown(header, rows, right=True) + (
        f"\n{result['seeds']} seeds, {result['steps']} steps; {provenance.machine(made)}, tensorflow "
        f"{made['versions']['tensorflow']}. Command: `{result['command']}`.\n"
    )


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
