"""Measures the cost of a step of training with K categories: a tree of digits and the dense categorical.

Each model is 784-256-logits, a latent variable of K categories, an embedding of width 64, and 64-256-784,
trained on batches of 100 binary images with ReinMax. "dense" has one logit and one row of the embedding for
each category; "tree" has digits of at most 64 categories and a table of K rows of which a step reads and
updates few; "digits" has the same tree and the sum of a row for each digit, so its size hardly depends on K.
Every model is a process of its own, which gives the median step of all rounds and the peak of its memory,
less what it held before the model was made.

    python -m benchmarks.trees.cost

adds the result to benchmarks/results/tree_cost.jsonl and draws docs/images/tree_cost.png.
`--smoke` takes a few steps of small models and records nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import memory, provenance, store
from trainers.common import tables

RESULTS = "tree_cost"
BATCH_SIZE, HIDDEN, WIDTH = 100, 256, 64
MOMENTS = 2
"""`LazyAdam` holds as many, each as long as the table."""
PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "numpy")
CASES = (
    *(("dense", 10**power) for power in (2, 3, 4, 5)),
    *(("tree", 10**power) for power in (2, 3, 4, 5, 6)),
    ("tree", 2**20),
    *(("digits", 10**power) for power in (2, 3, 4, 5, 6, 9)),
)
SMOKE = (("dense", 100), ("tree", 1000), ("digits", 10**9))
NAMES = {
    "dense": "dense categorical",
    "tree": "tree, a table of K rows",
    "digits": "tree, rows of digits",
}


def measure(kind: str, num_categories: int, steps: int, rounds: int) -> dict[str, Any]:
    """Trains one model in this process and returns what its steps cost."""
    import keras
    import tensorflow as tf

    from tf_discrete import distributions, layers, models, optimizers

    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    branching = distributions.balanced_branching(num_categories)
    latents = "categorical" if kind == "dense" else distributions.tree_latents(branching)
    x = tf.constant(np.random.default_rng(0).integers(0, 2, [BATCH_SIZE, 784]), tf.float32)
    before = memory.peak()
    mode = "digit_sum" if kind == "digits" else "table"
    spec = distributions.LatentSpec(1, num_categories, latents)
    decoder = keras.Sequential(
        [
            keras.Input(spec.shape),
            layers.CodeEmbedding(num_categories, WIDTH, latents, mode),
            keras.layers.Flatten(),
            keras.layers.Dense(HIDDEN, activation="relu"),
            keras.layers.Dense(784),
        ]
    )
    model = models.CategoricalVAE(
        (784,),
        1,
        num_categories,
        latents,
        decoder=decoder,
        hidden_units=(HIDDEN,),
        estimator="reinmax",
        monitor_every=10**6,
    )
    adam = optimizers.LazyAdam if kind == "tree" else optimizers.FusedAdam
    model.compile(adam(1e-3))
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, autograph=False)
    for _ in range(3):
        step(x)
    milliseconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(steps):
            logs = step(x)
        float(logs["loss"])
        milliseconds.append(1e3 * (time.perf_counter() - began) / steps)
    return {
        "kind": kind,
        "num_categories": num_categories,
        "branching": list(branching) if kind != "dense" else None,
        "milliseconds": [round(one, 3) for one in milliseconds],
        "peak_mebibytes": round(memory.peak() - before, 1),
        "table_mebibytes": round(num_categories * WIDTH * 4 / 2**20, 1) if kind == "tree" else 0,
        "parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
    }


def run(cases: Sequence[tuple[str, int]], steps: int, rounds: int) -> list[dict[str, Any]]:
    """Measures every model in a process of its own, one after the other."""
    found = []
    for kind, num_categories in cases:
        command = [
            sys.executable,
            "-m",
            "benchmarks.trees.cost",
            f"--case={kind},{num_categories}",
        ]
        command += [f"--steps={steps}", f"--rounds={rounds}"]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        found.append(json.loads(answer.splitlines()[-1]))
        print(markdown([found[-1]]).splitlines()[-1], flush=True)
    return found


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table in Markdown."""
    header = [
        "",
        "K",
        "digits",
        "ms per step, median",
        "quartiles",
        "peak memory, MiB",
        "of it the table",
        "of it the table and its moments",
    ]
    lines = []
    for row in rows:
        digits = " x ".join(map(str, row["branching"] or [row["num_categories"]]))
        low, median, high = statistics.quantiles(row["milliseconds"], n=4)
        cells = [
            NAMES[row["kind"]],
            f"{row['num_categories']:,}".replace(",", " "),
            digits,
            f"{median:.2f}",
            f"{low:.2f} to {high:.2f}",
            f"{row['peak_mebibytes']:.0f}",
            f"{row['table_mebibytes']:.0f}",
            f"{(1 + MOMENTS) * row['table_mebibytes']:.0f}",
        ]
        lines.append(cells)
    return tables.markdown(header, lines)


def table(record: Mapping[str, Any]) -> str:
    """A record as a table in Markdown, with what it was measured on."""
    return (
        f"{markdown(record['rows'])}\nBatches of {record['settings']['batch_size']}; "
        f"{provenance.line(record['provenance'], 'python -m benchmarks.trees.cost')}"
    )


def draw(rows: Sequence[Mapping[str, Any]], path: str) -> None:
    """Draws time and memory over K, both axes logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, label in zip(figure.subplots(1, 2), ("ms per step", "peak memory, MiB"), strict=True):
        for kind, name in NAMES.items():
            own = [row for row in rows if row["kind"] == kind]
            times = [statistics.median(row["milliseconds"]) for row in own]
            memory = [row["peak_mebibytes"] for row in own]
            axes.loglog(
                [row["num_categories"] for row in own],
                times if label.startswith("ms") else memory,
                marker="o",
                label=name,
            )
        axes.set(xlabel="categories K", ylabel=label)
        axes.grid(True, which="major", alpha=0.3)
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each model")
    parser.add_argument(
        "--smoke", action="store_true", help="few steps of few models, not recorded"
    )
    parser.add_argument("--case", help="one model in this process: its kind and K; prints JSON")
    options = parser.parse_args()
    if options.case:
        kind, num_categories = options.case.split(",")
        print(json.dumps(measure(kind, int(num_categories), options.steps, options.rounds)))
        return
    if options.smoke:
        print(markdown(run(SMOKE, steps=2, rounds=2)))
        return
    before = provenance.record(PACKAGES)
    rows = run(CASES, options.steps, options.rounds)
    settings = {"batch_size": BATCH_SIZE, "hidden": HIDDEN, "width": WIDTH, "steps": options.steps}
    record = store.append(RESULTS, {"settings": settings, "rows": rows, "provenance": before})
    draw(rows, str(store.IMAGES / "tree_cost.png"))
    print(table(record))


if __name__ == "__main__":
    main()
