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

from benchmarks import provenance, store
from tf_discrete.layers import quantizers
from tf_discrete.layers.quantizers import k_means
from tf_discrete.types import Tensor
from trainers.common import command_line, tables
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


def run(config: Config) -> None:
    """Trains every quantiser with every seed; records each when all its seeds are done."""
    made = provenance.record()
    base = [lloyd(vectors_of(seed), seed)[1] for seed in range(config.seeds)]
    for name, make in QUANTIZERS.items():
        found = []
        for seed in range(config.seeds):
            layer, x = make(seed), vectors_of(seed)
            train(layer, x, config.epochs, seed)
            found.append(measure(layer, x))
        record = {
            "name": name,
            "command": f"python -m benchmarks.quantizers.collapse --seeds={config.seeds} "
            f"--epochs={config.epochs}",
            "steps": config.epochs * VECTORS // BATCH,
            "use": [use for use, _ in found],
            "error": [error for _, error in found],
            "k_means_error": base,
            "provenance": made,
        }
        store.append(RESULTS, record)
        print(table({name: record}), flush=True)


def table(records: dict[str, dict[str, Any]]) -> str:
    """The records in Markdown, by name."""
    rows = []
    for name in (name for name in QUANTIZERS if name in records):
        record = records[name]
        pairs = zip(record["error"], record["k_means_error"], strict=True)
        ratios = [error / base for error, base in pairs]
        rows.append(
            (
                name,
                str(len(ratios)),
                f"{100 * min(record['use']):.1f} %",
                f"{statistics.fmean(record['error']):.3f}",
                f"{statistics.fmean(record['k_means_error']):.3f}",
                f"{max(ratios):.3f}",
            )
        )
    header = (
        *("quantiser", "seeds", "codes in use, worst seed", "error", "of k-means"),
        "error / k-means, worst seed",
    )
    last = list(records.values())[-1]
    made = last["provenance"]
    return tables.markdown(header, rows, right=True) + (
        f"\n{last['steps']} steps; {provenance.machine(made)}, tensorflow "
        f"{made['versions']['tensorflow']}. Command: `{last['command']}`.\n"
    )


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
