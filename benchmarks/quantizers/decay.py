"""Which decay do moving averages of a codebook need? Error on validation vectors.

    python -m benchmarks.quantizers.decay

`VectorQuantizer` as in `collapse`, trained on vectors of other seeds than there and measured on as many new
vectors of the same distribution. "moving": all vectors move by 4 standard deviations in the course of the
training, as those of an encoder do, and the validation vectors by the whole way. The default must come within
the spread over seeds of the best decay in both.
"""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from benchmarks import help_flag, provenance, store
from trainers.common import command_line, tables
from trainers.flags.config import check, option

if not help_flag.GIVEN:
    import tensorflow as tf

    from benchmarks.quantizers import collapse
    from tf_discrete.layers import quantizers
    from tf_discrete.types import Tensor

RESULTS = "codebook_decay"
FIRST_SEED = 1000
WAYS = {"at rest": 0.0, "moving": 4.0}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the benchmark."""

    seeds: int = option(5, "Seeds of vectors and quantisers.", lower=1)
    epochs: int = option(30, "Epochs of 16 steps.", lower=1)


DECAYS = (0.8, 0.9, 0.95, 0.98, 0.99, 0.999)


def measure(decay: float, way: float, seed: int, epochs: int) -> float:
    """Trains a quantiser on vectors that move along their first axis; returns the validation error."""

    def move(batch: Tensor, progress: float) -> Tensor:
        return batch + tf.one_hot(0, collapse.SIZE) * (way * progress)

    layer = quantizers.VectorQuantizer(collapse.CODES, decay=decay, seed=seed)
    collapse.train(layer, collapse.vectors_of(seed), epochs, seed, move)
    new = tf.random.stateless_normal([collapse.VECTORS, collapse.SIZE], [seed, 8])
    return collapse.measure(layer, move(new, 1.0))[1]


def run(config: Config) -> None:
    """Measures all decays and records them."""
    check(config)
    made = provenance.record()
    seeds = range(FIRST_SEED, FIRST_SEED + config.seeds)
    errors = {
        f"{decay:g}": {
            name: [measure(decay, way, seed, config.epochs) for seed in seeds]
            for name, way in WAYS.items()
        }
        for decay in DECAYS
    }
    command = provenance.command_of(
        "benchmarks.quantizers.decay", Config, dataclasses.asdict(config)
    )
    store.append(RESULTS, {"errors": errors, "command": command, "provenance": made})
    print(table(store.newest(RESULTS) or {}))


def table(record: dict[str, Any]) -> str:
    """The record in Markdown."""
    errors = record["errors"]
    best = {name: min(statistics.fmean(found[name]) for found in errors.values()) for name in WAYS}
    rows = [
        (
            decay,
            *(tables.spread(found[name], 4) for name in WAYS),
            f"{max(statistics.fmean(found[name]) / best[name] for name in WAYS):.3f}",
        )
        for decay, found in errors.items()
    ]
    header = ("decay", *(f"error, {name}" for name in WAYS), "worse of both / best")
    seeds = len(next(iter(errors.values()))["at rest"])
    return tables.markdown(header, rows, right=True) + (
        f"\nValidation vectors, mean +- standard deviation of {seeds} seeds; "
        f"{provenance.line(record['provenance'], record['command'])}"
    )


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
