"""The cost of very many classes in the semi-supervised VAE: a tree, all categories, and marginalisation.

    python -m benchmarks.trees.classes

trains the model on 100 images without and 100 with labels a step, for each number of classes K. The images
are digits, and their fine labels are made up: only the time counts. The class is inferred by joint
Gumbel-Softmax, as a path through a tree or as one of K categories, or it is marginalised, which takes K
passes of style encoder and decoder per image: for 10 000 classes a million rows, too many for a usual
machine, so that this case is left out. The models take turns; the median over the rounds counts. The result
is added to benchmarks/results/tree_classes.jsonl.
"""

from __future__ import annotations

import argparse
import math
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks import provenance, store
from benchmarks.speed import idle
from benchmarks.speed.setting import binary_images
from trainers.common import tables

RESULTS = "tree_classes"
BATCH_SIZE = 100
HIDDEN = (256,)
STYLE = 32
INFERENCE = {
    "tree": "joint, the class as a path through a tree",
    "categories": "joint, the class as one of K categories",
    "marginal": "marginalised",
}
CASES = (
    *(("tree", 100), ("categories", 100), ("marginal", 100)),
    *(("tree", 10_000), ("categories", 10_000)),
)


def contender(kind: str, num_classes: int, images: np.ndarray, steps: int) -> Callable[[], float]:
    """Returns a function that trains some steps and says how many milliseconds a step took."""
    import keras
    import tensorflow as tf

    from tf_discrete.models import SemiSupervisedVAE
    from tf_discrete.optimizers import FusedAdam

    keras.utils.set_random_seed(0)
    digit = math.isqrt(num_classes)
    model = SemiSupervisedVAE(
        (28, 28, 1),
        num_classes=num_classes,
        style_size=STYLE,
        estimator="enumeration" if kind == "marginal" else "gumbel_softmax",
        latents=f"tree:{digit},{digit}" if kind == "tree" else "categorical",
        hidden_units=HIDDEN,
        monitor_every=10**6,
    )
    model.compile(FusedAdam(1e-3))
    pixels = images[: 2 * BATCH_SIZE].reshape(2, BATCH_SIZE, 28, 28, 1).astype(np.float32)
    labels = np.random.default_rng(0).integers(0, num_classes, BATCH_SIZE)
    batch = {"image": pixels[0], "labelled_image": pixels[1], "labelled_label": labels}
    data = tf.data.Dataset.from_tensors(batch).repeat()

    def turn(steps: int = steps) -> float:
        began = time.perf_counter()
        model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)
        return 1e3 * (time.perf_counter() - began) / steps

    turn(2)  # Traces.
    return turn


def run(cases: Any, steps: int, rounds: int) -> list[dict[str, Any]]:
    """Measures all cases in turns, in a new order each round."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "images.npy"
        binary_images(path)
        images = np.load(path, mmap_mode="r")[: 2 * BATCH_SIZE].copy()
    turns = {(kind, k): contender(kind, k, images, steps) for kind, k in cases}
    times: dict[Any, list[float]] = {case: [] for case in cases}
    random, order = np.random.default_rng(0), list(cases)
    for _ in range(rounds):
        for case in order:
            times[case].append(round(turns[case](), 3))
        random.shuffle(order)
    return [
        {"inference": kind, "num_classes": num_classes, "milliseconds": times[kind, num_classes]}
        for kind, num_classes in cases
    ]


def table(record: Mapping[str, Any]) -> str:
    """The times of a step in Markdown, a row for each number of classes."""
    times = {(row["inference"], row["num_classes"]): row["milliseconds"] for row in record["rows"]}
    lines = [
        (
            f"{k:,}",
            *(
                f"{statistics.median(times[i, k]):.1f}" if (i, k) in times else ""
                for i in INFERENCE
            ),
        )
        for k in sorted({k for _, k in times})
    ]
    return (
        f"{tables.markdown(('classes', *INFERENCE.values()), lines)}\nMilliseconds of a step, median; "
        f"batches of {BATCH_SIZE} images with and {BATCH_SIZE} without labels; "
        f"{provenance.line(record['provenance'], 'python -m benchmarks.trees.classes')}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20, help="steps of a turn")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each model")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for idleness")
    parser.add_argument(
        "--smoke", action="store_true", help="few steps of the smallest models, not recorded"
    )
    options = parser.parse_args()
    if options.smoke:
        print(run([case for case in CASES if case[1] == 100], steps=2, rounds=2))
        return
    if not idle.wait(options.patience):
        sys.exit("The machine is busy, and nothing would be recorded. Give a longer --patience.")
    made = provenance.record()
    rows = run(CASES, options.steps, options.rounds)
    print(table(store.append(RESULTS, {"rows": rows, "provenance": made})))


if __name__ == "__main__":
    main()
