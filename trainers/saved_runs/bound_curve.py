"""The importance-weighted bound against its number of samples, for `trainers.evaluate --bound_curve`."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import time
from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete import datasets, plots, seeds
from tf_discrete._internal import fusion
from tf_discrete._internal.counted import counted
from tf_discrete._internal.mean_and_error import mean_and_error
from tf_discrete._internal.writing import write_json

from ..common import narration

BATCH = 20
CHUNK = 100


def write(
    model: Any,
    split: datasets.Split,
    num_samples: tuple[int, ...],
    num_examples: int,
    folder: pathlib.Path,
) -> dict[str, Any] | None:
    """Scores the first examples of a split and writes bound_curve-SPLIT.json and .png.

    The samples are drawn once for each example. The bound of m samples is the mean over disjoint groups of m
    of them, so that bounds of few samples are as exact as that of all. Bounds of two examples or more have
    standard errors.

    Args:
        model: with `log_weights`.
        split: of the data.
        num_samples: numbers m, each a divisor of the largest; empty: nothing is done.
        num_examples: of the split, the first.
        folder: of the files.

    Raises:
        ValueError: Numbers of samples that do not divide the largest.
    """
    if not num_samples:
        return None
    most = max(num_samples)
    if min(num_samples) < 1 or any(most % m for m in num_samples):
        raise ValueError(
            "The numbers of samples must be positive, each a divisor of the largest. "
            f"Received: bound_curve={num_samples}"
        )
    first = dataclasses.replace(
        split, images=split.images[:num_examples], labels=None, num_classes=None, class_names=None
    )
    began = time.perf_counter()
    images = counted(len(first), f"{split.split} image")
    name = f"Curve of bounds with up to {counted(most, 'sample')}, {images}"
    with narration.phase(name, len(first)) as advance:
        values = score(model, first.batches(BATCH), num_samples, advance)
    count = len(values[most])
    found = []
    for m in sorted(values):
        mean, error = mean_and_error(values[m])
        known = {"standard_error_nats": error} if math.isfinite(error) else {}
        found.append({"num_samples": m, "bound_nats": mean, **known})
    result = {
        "split": split.split,
        "num_examples": count,
        "seconds": round(time.perf_counter() - began, 1),
        "bounds": found,
    }
    path = folder / f"bound_curve-{split.split}.json"
    write_json(path, result)
    plots.save(draw(result, "this run"), path.with_suffix(".png"), dpi=90)
    return result


def score(
    model: Any,
    images: Any,
    num_samples: tuple[int, ...],
    progress: narration.Progress = lambda count: None,
) -> dict[int, np.ndarray]:
    """The bounds of every image of batches, by number of samples."""
    most = max(num_samples)

    @tf.function(reduce_retracing=True, autograph=False)
    def log_weights(x: tf.Tensor, seed: tf.Tensor, samples: int) -> tf.Tensor:
        return model.log_weights(x, samples, seed)

    found: dict[int, list[np.ndarray]] = {m: [] for m in num_samples}
    for index, batch in enumerate(images):
        sizes = [min(CHUNK, most - start) for start in range(0, most, CHUNK)]
        with fusion.enabled():
            chunks = [
                log_weights(
                    batch["image"], seeds.fold(seeds.base(0), "curve", index, number), size
                ).numpy()
                for number, size in enumerate(sizes)
            ]
        drawn = np.concatenate(chunks)
        for m in num_samples:
            found[m].append(bounds(drawn, m))
        progress(drawn.shape[-1])
    return {m: np.concatenate(values) for m, values in found.items()}


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


def draw(result: dict[str, Any], label: str) -> Any:
    """The figure of a result of `write`, its line labelled."""
    rows = result["bounds"]
    line = plots.Line([row["num_samples"] for row in rows], [row["bound_nats"] for row in rows])
    panel = plots.LinePanel(
        counted(result["num_examples"], f"{result['split']} image"),
        "samples m",
        "bound of log p(x), nats",
        {label: line},
        log_x=True,
        whole=True,
    )
    return plots.comparison([panel], title="Importance-weighted bound against samples")
