"""The time of a training step of every family of the study, on an idle machine.

    python -m benchmarks.bottlenecks.step_time

trains the models of the study, with their default settings and codes of --bits, on random grey images of
28 x 28 in batches of 100, as `fit` does with data in memory, in the compiled loop. All families take turns in
every round. Nothing is recorded where other programs use the processor. The report of a study shows times of
its own shape of images, batch size and --parameters alone. --smoke takes a few steps of the named families
and records nothing.
"""

from __future__ import annotations

import dataclasses
import gc
import statistics
import sys
import time
from collections.abc import Callable

import tqdm

from benchmarks import help_flag, provenance, store
from benchmarks.speed import idle
from benchmarks.speed.contenders import ours
from trainers.common import command_line
from trainers.flags.config import check, option

if not help_flag.GIVEN:
    import keras
    import numpy as np

    from benchmarks.bottlenecks import families
    from tf_discrete import datasets
    from tf_discrete.optimizers import FusedAdam

RESULTS = "bottleneck_step_time"
SHAPE = (28, 28, 1)
BATCH = 100
STEPS = 20
"""Steps of one compiled loop."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the benchmark."""

    families: tuple[str, ...] = option(
        (), "Families to measure, see benchmarks.bottlenecks. Default: all."
    )
    bits: tuple[int, ...] = option((64,), "Sizes of the codes.")
    parameters: int = option(1_200_000, "Of encoder, decoder and codebooks.", lower=2000)
    rounds: int = option(5, "Turns of each family.", lower=1)
    steps: int = option(200, "Steps of a turn, rounded to loops of 20.", lower=1)
    patience: float = option(60.0, "Seconds to wait for an idle machine.", lower=0)
    smoke: bool = option(False, "Two turns of one loop; nothing is recorded.")


def prepare(name: str, bits: int, config: Config) -> Callable[[], float]:
    """Builds and warms up a model; returns a function that trains a turn and returns milliseconds a step."""
    keras.utils.set_random_seed(0)
    place = families.Place(SHAPE, bits, (), 10_000, 0)
    model = families.build(name, place, config.parameters, families.settings_of(name, 0))
    model.monitor_every = 10**9
    model.compile(FusedAdam(1e-3), steps_per_execution=STEPS)
    pixels = np.random.default_rng(0).integers(0, 256, [STEPS * BATCH, *SHAPE], np.uint8)
    split = datasets.Split("mnist", "train", pixels, None, None)
    loops = 1 if config.smoke else max(1, round(config.steps / STEPS))
    training = ours.fit_in_turns(model, split.indexed_batches(BATCH, seed=0), STEPS)
    next(training)  # Compiles. Each `fit` would do that again, so one of them goes on.

    def turn() -> float:
        began = time.perf_counter()
        for _ in range(loops):
            next(training)
        return 1e3 * (time.perf_counter() - began) / (loops * STEPS)

    return turn


def measure(config: Config) -> dict[tuple[str, int], list[float]]:
    """Returns the milliseconds of a step in each turn, by family and bits; exits on a busy machine."""
    cells = [(name, bits) for bits in config.bits for name in config.families or families.FAMILIES]
    turns = {
        cell: prepare(cell[0], cell[1], config) for cell in tqdm.tqdm(cells, "models", disable=None)
    }
    for turn in turns.values():
        turn()  # Setting the seed of the next model has cleared what TensorFlow had prepared of this one.
    found: dict[tuple[str, int], list[float]] = {cell: [] for cell in cells}
    for _ in tqdm.tqdm(range(2 if config.smoke else config.rounds), "rounds", disable=None):
        for cell, turn in turns.items():
            if not config.smoke:
                _check_idle(config)
            gc.collect()
            found[cell].append(round(turn(), 3))
    return found


def run(config: Config) -> None:
    """Measures and records.

    Raises:
        ValueError: Options out of range.
    """
    check(config)
    unknown = sorted(set(config.families) - set(families.FAMILIES))
    if unknown:
        raise ValueError(
            f"families must be of {', '.join(families.FAMILIES)}. Received: families={unknown[0]!r}"
        )
    if not config.smoke:
        _check_idle(config)
    made = provenance.record()
    command = provenance.command_of(
        "benchmarks.bottlenecks.step_time", Config, dataclasses.asdict(config)
    )
    for (name, bits), times in measure(config).items():
        print(f"{name}, {bits} bits: {statistics.median(times):.2f} ms a step")
        if not config.smoke:
            record = {
                "name": f"{name}-{bits}-{'x'.join(map(str, SHAPE))}-{config.parameters}",
                **{"family": name, "bits": bits, "data_shape": SHAPE, "batch_size": BATCH},
                **{"parameters": config.parameters, "milliseconds": times},
                **{"command": command, "provenance": made},
            }
            store.append(RESULTS, record)


def _check_idle(config: Config) -> None:
    if not idle.wait(config.patience):
        sys.exit("The machine is busy, and nothing is recorded. Give a longer --patience.")


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
