"""Do codebooks collapse? Quantisers with default arguments on Gaussian vectors, next to Lloyd's k-means.

    python -m benchmarks.quantizers.collapse --keras_hub_python=OTHER/bin/python

The same 4096 vectors N(0, I) of size 16 in batches of 256, 512 codes, Adam on the loss of the quantiser and
the squared error. Reported over the seeds: the smallest share of codes in use by any variable, and the mean
squared error per number, also as a multiple of that of k-means on the same vectors: of each part of a
composite in turn. A vector of 9 bits cannot have a smaller error than 0.46 on new data; k-means is below
because it fits these vectors. KerasHub's layer takes the same batches in an interpreter that has it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import help_flag, provenance, store
from trainers.common import command_line, tables
from trainers.flags.config import check, option

if not help_flag.GIVEN:
    import keras
    import numpy as np
    import tensorflow as tf

    from benchmarks.quantizers import keras_hub_layer
    from tf_discrete.layers import quantizers
    from tf_discrete.layers.quantizers import k_means
    from tf_discrete.layers.quantizers.composite import CompositeQuantizer
    from tf_discrete.types import Tensor

RESULTS = "collapse"
VECTORS, SIZE, CODES, BATCH = 4096, 16, 512, 256
LEARNING_RATE = 0.01
KERAS_HUB = "KerasHub's VectorQuantizerEMA"
QUANTIZERS: dict[str, Callable[[int], quantizers.Quantizer]] = {
    "VectorQuantizer": lambda seed: quantizers.VectorQuantizer(CODES, seed=seed),
    "VectorQuantizer, gradient codebook": lambda seed: quantizers.VectorQuantizer(
        CODES, "gradient", seed=seed
    ),
    "VectorQuantizer, DiVeQ": lambda seed: quantizers.VectorQuantizer(
        CODES, "gradient", "diveq", seed=seed
    ),
    "SimVQ": lambda seed: quantizers.SimVQ(CODES, seed=seed),
    "SimVQ started at k-means": lambda seed: quantizers.SimVQ(CODES, seed=seed),
    "FiniteScalarQuantizer, 8 x 8 x 8": lambda seed: quantizers.FiniteScalarQuantizer((8, 8, 8)),
    "FiniteScalarQuantizer, 2^9": lambda seed: quantizers.FiniteScalarQuantizer((2,) * 9),
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
    only: tuple[str, ...] = option(
        (), "Rows to measure, by the start of their names. Default: all."
    )
    keras_hub_python: str = option(
        "", "Interpreter that has keras_hub. Default: its row is skipped."
    )


def vectors_of(seed: int) -> tf.Tensor:
    """Returns the vectors of a seed, float32 [4096, 16]."""
    return tf.random.stateless_normal([VECTORS, SIZE], [seed, 7])


def order_of(size: int, epochs: int, seed: int) -> Iterator[np.ndarray]:
    """Returns the rows of each batch."""
    random = np.random.default_rng(seed)
    for _ in range(epochs):
        yield from random.permutation(size).reshape(-1, BATCH)


def train(
    layer: quantizers.Quantizer,
    x: Tensor,
    epochs: int,
    seed: int,
    move: Callable[[Tensor, float], Tensor] = lambda batch, progress: batch,
) -> None:
    """Trains a quantiser on vectors.

    Args:
        layer: The quantiser.
        x: float [R, D], a multiple of the batch.
        epochs: Int.
        seed: Int, of affine maps and of the order.
        move: Changes a batch, given the share of the training that is done. Default: it stays.
    """
    keras.utils.set_random_seed(seed)
    if not layer.built:
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

    steps = epochs * len(x) // BATCH
    for number, rows in enumerate(order_of(len(x), epochs, seed)):
        step(move(tf.gather(x, rows), number / steps))


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


def base_error(layer: quantizers.Quantizer, x: Tensor, k_means_error: float) -> float:
    """Returns the error of k-means as given; of composites, with each part started at its k-means."""
    if not isinstance(layer, CompositeQuantizer):
        return k_means_error
    layer.adapt(x)
    return measure(layer, x)[1]


def floor(layer: quantizers.Quantizer, x: Tensor) -> float | None:
    """Returns the least error of any layer that maps vectors to as many numbers by an affine map and back.

    What it returns lies in an affine space of that many dimensions, so its error is at least the variance
    that the principal components leave out. None if the size of the vectors stays the same.
    """
    if layer.project_in is None or layer.latent_size is None:
        return None
    variances = np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))
    return float(variances[: x.shape[-1] - layer.latent_size].sum() / x.shape[-1])


def measure_keras_hub(python: str, seeds: int, epochs: int) -> list[dict[str, float]]:
    """Returns use and error of KerasHub's layer for each seed, measured in another interpreter.

    Raises:
        ChildProcessError: It failed; with the end of what it said.
    """
    vectors = np.stack([vectors_of(seed) for seed in range(seeds)])
    orders = [np.stack(list(order_of(VECTORS, epochs, seed))) for seed in range(seeds)]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vectors.npz"
        np.savez(path, vectors=vectors, orders=np.stack(orders), codes=CODES)
        command = [python, keras_hub_layer.__file__, str(path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ChildProcessError(f"KerasHub could not be measured: {ended.stderr[-500:]}")
    found: list[dict[str, float]] = json.loads(ended.stdout.splitlines()[-1])
    return found


def measure_quantizer(
    name: str, config: Config, k_means_error: Callable[[int], float]
) -> list[dict[str, float]]:
    """Returns use, error, that of k-means and the floor for each seed."""
    found = []
    for seed in range(config.seeds):
        x = vectors_of(seed)
        base = base_error(QUANTIZERS[name](seed), x, k_means_error(seed))
        layer = QUANTIZERS[name](seed)
        if name.endswith("k-means"):
            layer.adapt(x)
        train(layer, x, config.epochs, seed)
        use, error = measure(layer, x)
        one = {"use": use, "error": error, "k_means_error": base}
        least = floor(layer, x)
        found.append(one if least is None else {**one, "floor": least})
    return found


def run(config: Config) -> None:
    """Trains every quantiser with every seed; records each when all its seeds are done.

    Raises:
        ValueError: No row begins with a name.
    """
    check(config)
    names = [*QUANTIZERS, KERAS_HUB]
    for start in config.only:
        if not any(name.startswith(start) for name in names):
            raise ValueError(
                f"only must be the start of one of {', '.join(names)}. Received: only={start!r}"
            )
    made = provenance.record()
    k_means_error = functools.cache(lambda seed: lloyd(vectors_of(seed), seed)[1])
    for name in names:
        if not name.startswith(config.only or ""):
            continue
        if name != KERAS_HUB:
            found = measure_quantizer(name, config, k_means_error)
        elif config.keras_hub_python:
            found = measure_keras_hub(config.keras_hub_python, config.seeds, config.epochs)
            for seed, one in enumerate(found):
                one["k_means_error"] = k_means_error(seed)
        else:
            print(f"{name}: skipped, as keras_hub_python is not set.")
            continue
        record = {
            "name": name,
            "command": f"python -m benchmarks.quantizers.collapse --seeds={config.seeds} "
            f"--epochs={config.epochs}",
            "steps": config.epochs * VECTORS // BATCH,
            **{key: [one[key] for one in found] for key in found[0]},
            "provenance": made,
        }
        store.append(RESULTS, record)
        print(table({name: record}), flush=True)


def table(records: dict[str, dict[str, Any]]) -> str:
    """The records in Markdown, by name."""
    rows = []
    for name in (name for name in (*QUANTIZERS, KERAS_HUB) if name in records):
        record = records[name]
        pairs = zip(record["error"], record["k_means_error"], strict=True)
        ratios = [error / base for error, base in pairs]
        floors = record.get("floor")
        rows.append(
            (
                name,
                str(len(ratios)),
                f"{100 * min(record['use']):.1f} %",
                f"{statistics.fmean(record['error']):.3f}",
                f"{statistics.fmean(record['k_means_error']):.3f}",
                f"{max(ratios):.3f}",
                f"{statistics.fmean(floors):.3f}" if floors else "",
            )
        )
    header = (
        *("quantiser", "seeds", "codes in use, worst seed", "error", "of k-means"),
        *("error / k-means, worst seed", "least possible"),
    )
    made = dict.fromkeys(
        provenance.line(record["provenance"], record["command"]) for record in records.values()
    )
    steps = next(iter(records.values()))["steps"]
    return f"{tables.markdown(header, rows, right=True)}\n{steps} steps. {''.join(made)}"


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
