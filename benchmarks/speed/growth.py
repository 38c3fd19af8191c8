"""How the time of a training step grows with the batch, the codes, the layers and the samples of an image.

Each axis changes one size of a categorical VAE, 784-256-(20 x 10) with Gumbel-Softmax on batches of 100
binary images, and trains as `fit` does with data in memory, in the compiled loop. A point is the median step
of all turns, each of at least --seconds.

    python -m benchmarks.speed.growth

adds the result to benchmarks/results/training_growth.jsonl and draws docs/images/training_growth.png. It is
recorded only from an idle machine. --smoke takes a few steps of the smallest models and records nothing.
"""

from __future__ import annotations

import argparse
import gc
import math
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tqdm

from benchmarks import help_flag, provenance, store
from benchmarks.speed import idle
from benchmarks.speed.contenders import ours
from benchmarks.speed.setting import IMAGES, binary_images
from trainers.common import tables

if not help_flag.GIVEN:
    from tf_discrete import plots

RESULTS = "training_growth"
PICTURE = "training_growth.png"
BASE = {"batch": 100, "variables": 20, "categories": 10, "layers": 1, "samples": 1}
HIDDEN = (256,)
AXES: dict[str, tuple[int, ...]] = {
    "batch": (10, 30, 100, 300, 1000, 3000, 10_000),
    "variables": (5, 10, 20, 50, 100, 200, 500),
    "categories": (2, 4, 10, 32, 100, 320, 1000),
    "layers": (1, 2, 3, 4, 5),
    "samples": (1, 2, 5, 10, 20, 50),
}
"""Values of each size, the others being those of `BASE`."""
TITLES = {
    "batch": "images of a batch",
    "variables": "variables of a layer",
    "categories": "categories of a variable",
    "layers": "stochastic layers",
    "samples": "samples m of an image, relaxed bound",
}


def measure(images: np.ndarray, axis: str, value: int, seconds: float, turns: int) -> list[float]:
    """Returns the milliseconds of a step in each turn of training a model with one size changed."""
    import keras

    from tf_discrete.datasets import Split
    from tf_discrete.models import CategoricalVAE
    from tf_discrete.optimizers import FusedAdam

    sizes = {**BASE, axis: value}
    keras.utils.set_random_seed(0)
    model = CategoricalVAE(
        (28, 28, 1),
        (sizes["variables"],) * sizes["layers"],
        sizes["categories"],
        hidden_units=HIDDEN,
        objective="relaxed_importance_weighted" if axis == "samples" else "elbo",
        num_samples=sizes["samples"],
    )
    steps = max(1, min(20, IMAGES // sizes["batch"]))
    model.compile(FusedAdam(1e-3), steps_per_execution=steps)
    model.optimizer.build(model.trainable_variables)
    rows = images[np.arange(steps * sizes["batch"]) % len(images)]
    split = Split("digits", "train", rows.reshape(-1, 28, 28, 1) * 255, None, None)
    turn = ours.fit_in_turns(model, split.indexed_batches(sizes["batch"], seed=0), steps)
    next(turn)  # Traces and warms up.
    found = []
    for _ in range(turns):
        began, done = time.perf_counter(), 0
        while not done or time.perf_counter() - began < seconds:
            next(turn)
            done += steps
        found.append(1e3 * (time.perf_counter() - began) / done)
    return found


def run(axes: Mapping[str, Sequence[int]], seconds: float, turns: int) -> list[dict[str, Any]]:
    """Measures every point of every axis; the point that all axes share is measured with each."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "images.npy"
        binary_images(path)
        images = np.load(path)
    points = [(axis, value) for axis, values in axes.items() for value in values]
    found = []
    for axis, value in tqdm.tqdm(points, "sizes", disable=None):
        times = measure(images, axis, value, seconds, turns)
        found.append({"axis": axis, "value": value, "milliseconds": [round(t, 3) for t in times]})
        gc.collect()
    return found


def table(record: Mapping[str, Any]) -> str:
    """The results in Markdown: a row for each axis, and how the time grows at its end."""
    lines = []
    for axis, points in _by_axis(record["points"]).items():
        times = [f"{value:,}: {_median(point):.3g}" for value, point in points.items()]
        (one, before), (two, last) = list(points.items())[-2:]
        power = math.log(_median(last) / _median(before)) / math.log(two / one)
        lines.append((TITLES[axis], ", ".join(times), f"{power:.2f}"))
    header = ("size", "size: milliseconds of a step, median", "power between the last two")
    return f"{tables.markdown(header, lines)}\n{provenance.line(record['provenance'], record['command'])}"


def draw(record: Mapping[str, Any]) -> Any:
    """Draws the milliseconds of a step over each size, logarithmic axes but for the layers."""
    panels = []
    for axis, points in _by_axis(record["points"]).items():
        quartiles = [statistics.quantiles(point["milliseconds"], n=4) for point in points.values()]
        low, middle, high = (list(values) for values in zip(*quartiles, strict=True))
        line = plots.Line(list(points), middle, low, high)
        logarithmic = axis != "layers"
        shared = {"log_x": logarithmic, "log_y": logarithmic, "whole": True}
        panels.append(plots.LinePanel(TITLES[axis], axis, "ms a step", {"": line}, **shared))
    return plots.comparison(panels, title="Time of a training step")


def _by_axis(points: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, Mapping[str, Any]]]:
    return {
        axis: {point["value"]: point for point in points if point["axis"] == axis}
        for axis in dict.fromkeys(point["axis"] for point in points)
    }


def _median(point: Mapping[str, Any]) -> float:
    return statistics.median(point["milliseconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn, at least")
    parser.add_argument("--turns", type=int, default=5, help="of each point")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for idleness")
    parser.add_argument("--smoke", action="store_true", help="few sizes, not recorded")
    options = parser.parse_args()
    if options.smoke:
        for point in run({axis: values[:2] for axis, values in AXES.items()}, 0.01, 2):
            print(point)
        return
    if not idle.wait(options.patience):
        sys.exit("The machine is busy, and nothing would be recorded. Give a longer --patience.")
    made = provenance.record()
    points = run(AXES, options.seconds, options.turns)
    command = (
        f"python -m benchmarks.speed.growth --seconds={options.seconds:g} --turns={options.turns}"
    )
    record = store.append(RESULTS, {"command": command, "points": points, "provenance": made})
    plots.save(draw(record), store.IMAGES / PICTURE, dpi=plots.canvas.DPI)
    print(table(record))


if __name__ == "__main__":
    main()
