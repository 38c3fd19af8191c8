"""The importance-weighted bound of a finished run against its number of samples, up to 50 000.

    python -m benchmarks.bound_curve --run=runs/vae --name=linear-20x10 --data_dir=$TF_DISCRETE_DATA_DIR

draws the samples once for each of the first test images. The bound of m samples is the mean over disjoint
groups of m of them, so that bounds of few samples are as exact as that of all. Writes
benchmarks/results/bound_curve/NAME.json, of which `python -m tools.tables --write` makes a table, and the
picture docs/images/bound_curve-NAME.png.
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import record
from tf_discrete import plots, seeds
from tf_discrete._internal.writing import write_json
from trainers.common import command_line, data, finished_run, machine
from trainers.common.run_directory import RunDirectory, read_json
from trainers.flags.config import check, option
from trainers.saved_runs import evaluate

BATCH = 50
CHUNK = 100


@dataclasses.dataclass(frozen=True)
class Config:
    """Which run is scored, on how much."""

    run: str = option("", "Folder of the finished run.")
    name: str = option("", "Of the result.")
    num_samples: tuple[int, ...] = option(
        (1, 10, 100, 1000, 10_000, 50_000), "Samples m of the bounds; each divides the largest."
    )
    num_examples: int = option(1000, "Test images, the first of the split.", lower=1)
    data_dir: str = option("", "Folder of prepared TFDS data. Default: that of the run.")


def bounds(log_weights: np.ndarray, num_samples: int) -> np.ndarray:
    """The bound of m samples for each example, averaged over the disjoint groups of m, float64 [B].

    Args:
        log_weights: [S, B] in nats; m divides S.
        num_samples: m.
    """
    groups = log_weights.astype(np.float64).reshape(-1, num_samples, log_weights.shape[-1])
    highest = groups.max(axis=1, keepdims=True)
    means = np.log(np.mean(np.exp(groups - highest), axis=1)) + highest[:, 0]
    return means.mean(axis=0)


def score(model: Any, images: Any, num_samples: tuple[int, ...]) -> dict[int, np.ndarray]:
    """The bounds of every image of batches, by number of samples."""
    most = max(num_samples)

    @tf.function(reduce_retracing=True)
    def draw(x: tf.Tensor, seed: tf.Tensor, samples: int) -> tf.Tensor:
        return model.log_weights(x, samples, seed)

    found: dict[int, list[np.ndarray]] = {m: [] for m in num_samples}
    for index, batch in enumerate(images):
        sizes = [min(CHUNK, most - start) for start in range(0, most, CHUNK)]
        chunks = [
            draw(batch["image"], seeds.fold(seeds.base(0), "curve", index, number), size).numpy()
            for number, size in enumerate(sizes)
        ]
        drawn = np.concatenate(chunks)
        for m in num_samples:
            found[m].append(bounds(drawn, m))
        done = np.concatenate(found[most])
        print(f"{len(done)} images: {done.mean():.3f} nats with {most} samples", flush=True)
    return {m: np.concatenate(values) for m, values in found.items()}


def run(config: Config) -> dict[str, Any]:
    """Scores the run and keeps the result.

    Raises:
        ValueError: a run that has not finished, or numbers of samples that do not divide the largest.
    """
    check(config)
    if not config.run or not RunDirectory(config.run).result_path.exists():
        raise ValueError(f"--run must name a finished run. Received: run={config.run!r}")
    directory = RunDirectory(config.run)
    most = max(config.num_samples, default=0)
    if not most or min(config.num_samples) < 1 or any(most % m for m in config.num_samples):
        raise ValueError(
            "num_samples must be positive numbers, each a divisor of the largest. "
            f"Received: num_samples={config.num_samples}"
        )
    task, settings = finished_run.open_run(directory)
    if config.data_dir:
        settings = dataclasses.replace(settings, data_dir=config.data_dir)
    model, _, _ = evaluate.restore(task, settings, directory, "best")
    test = data.load_split(settings, "test")
    first = dataclasses.replace(
        test, images=test.images[: config.num_examples], labels=None, num_classes=None
    )
    began = time.perf_counter()
    values = score(model, first.batches(BATCH), config.num_samples)
    count = len(values[most])
    result = {
        "name": config.name,
        "command": record.command(read_json(directory.config_path), task),
        "estimator": settings.estimator,
        "num_examples": count,
        "seconds": round(time.perf_counter() - began, 1),
        "bounds": [
            {
                "num_samples": m,
                "bound_nats": float(values[m].mean()),
                "standard_error_nats": float(values[m].std(ddof=1) / count**0.5),
            }
            for m in sorted(values)
        ],
        "hardware": machine.hardware(),
        "versions": machine.versions(),
    }
    keep(result)
    return result


def keep(result: dict[str, Any]) -> pathlib.Path:
    """Writes the JSON and the picture; returns the path of the JSON."""
    path = record.RESULTS / "bound_curve" / f"{result['name']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    rows = result["bounds"]
    line = plots.Line([row["num_samples"] for row in rows], [row["bound_nats"] for row in rows])
    panel = plots.LinePanel(
        f"{result['num_examples']} test images",
        "samples m",
        "bound of log p(x), nats",
        {result["estimator"]: line},
        log_x=True,
        whole=True,
    )
    figure = plots.comparison([panel], title="Importance-weighted bound against samples")
    record.IMAGES.mkdir(parents=True, exist_ok=True)
    plots.save(figure, record.IMAGES / f"bound_curve-{result['name']}.png", dpi=90)
    return path


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
