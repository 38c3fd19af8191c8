"""Trains an LSTM whose gates are open or closed, next to Keras' LSTM.

    python -m examples.discrete_gates
    python -m examples.discrete_gates --task=adding --epochs=10 --units=16

The tasks are the embedded digits, row by row (8 steps) or pixel by pixel (64 steps), and the adding problem:
the sum of the two numbers of a sequence that are marked, which is also tested on sequences longer than those
of training (`--long`). Both networks have the same sizes, data, seeds and steps. Printed are accuracy or
squared error on test data, for the discrete one with gates of exactly 0 and 1, and the share of gates that
are closed. A unit whose input gate is closed need not be computed.

In training a growing share of the gates is rounded, from none to all (`--estimator=semantic_hashing`), and
there is hardly any noise: noise in a gate is noise in the memory, at every step anew. At the end the network
trains with the gates that it has at inference. `--estimator=gumbel_softmax` trains as Li and others do (2018,
arXiv:1806.02988), at their temperature of 0.9.
"""

from __future__ import annotations

import collections
import statistics

import keras
import numpy as np
from absl import app, flags

import tf_discrete

TASK = flags.DEFINE_enum("task", "rows", ["rows", "pixels", "adding"], "What is learned.")
LENGTH = flags.DEFINE_integer("length", 30, "Steps of the adding problem.", lower_bound=2)
LONG = flags.DEFINE_integer(
    "long", 300, "Length of the longer test sequences of the adding problem.", lower_bound=2
)
UNITS = flags.DEFINE_integer("units", 64, "Units of both LSTMs.", lower_bound=1)
EPOCHS = flags.DEFINE_integer("epochs", 60, "Passes over the training data.", lower_bound=1)
SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of both networks.", lower_bound=1)
MAX_EXAMPLES = flags.DEFINE_integer(
    "max_examples", None, "Training and test examples. Default: all; 20000 and 2000 sums."
)
ESTIMATOR = flags.DEFINE_string("estimator", "semantic_hashing", "Of the gates, in training.")
TEMPERATURE = flags.DEFINE_float(
    "temperature", 0.9, "Of the gates, for estimators that have one.", lower_bound=1e-3
)
BATCH_SIZE = 100


def digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Digits as sequences, float32 [n, steps, pixels] in [0, 1], and their classes, int [n]."""
    data = tf_discrete.datasets.get("digits", split, max_examples=MAX_EXAMPLES.value)
    assert data.labels is not None
    steps = 8 if TASK.value == "rows" else 64
    pixels = np.asarray(data.images, np.float32).reshape([len(data), steps, -1]) / 255
    return pixels, np.asarray(data.labels)


def sums(split: str, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers in [0, 1] and marks, float32 [n, length, 2], and the sum of the two marked ones, [n, 1]."""
    count = MAX_EXAMPLES.value or {"train": 20_000, "test": 2000}[split]
    draw = np.random.default_rng(["train", "test"].index(split))
    numbers, marks = draw.uniform(size=[count, length]), np.zeros([count, length])
    half, every = length // 2, np.arange(count)
    marks[every, draw.integers(0, half, count)] = 1
    marks[every, draw.integers(half, length, count)] = 1
    target = np.sum(numbers * marks, axis=1, keepdims=True)
    return np.stack([numbers, marks], axis=-1).astype(np.float32), target.astype(np.float32)


def data(split: str) -> tuple[np.ndarray, np.ndarray]:
    return sums(split, LENGTH.value) if TASK.value == "adding" else digits(split)


def steps() -> int:
    """Training steps."""
    return EPOCHS.value * -(-len(data("train")[0]) // BATCH_SIZE)


def estimator() -> tf_discrete.estimators.Estimator:
    """The estimator of the gates."""
    if ESTIMATOR.value == "semantic_hashing":
        rounded = tf_discrete.schedules.Linear(0.0, 1.0, steps=steps())
        return tf_discrete.estimators.get(
            "semantic_hashing", noise_stddev=0.01, discrete_fraction=rounded, latents="bernoulli"
        )
    return tf_discrete.estimators.get(
        ESTIMATOR.value, temperature=TEMPERATURE.value, latents="bernoulli"
    )


def train(name: str, recurrent: keras.layers.Layer) -> dict[str, float]:
    """Trains a recurrent layer.

    Returns:
        Under its name the accuracy on the test data, or the mean squared error of sums; then also that of
        longer sequences.
    """
    inputs, targets = data("train")
    classes = TASK.value != "adding"
    output = keras.layers.Dense(10 if classes else 1)
    length = inputs.shape[1] if recurrent.unroll else None
    model = keras.Sequential([keras.Input([length, inputs.shape[2]]), recurrent, output])
    rate = keras.optimizers.schedules.CosineDecay(5e-3, steps(), alpha=0.02)
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True) if classes else "mse",
        metrics=["accuracy" if classes else "mse"],
    )
    model.fit(inputs, targets, batch_size=BATCH_SIZE, epochs=EPOCHS.value, verbose=0)
    tests = {name: data("test")}
    if not classes:
        tests[f"{name}_long"] = sums("test", LONG.value)
    return {test: model.evaluate(*tests[test], verbose=0)[1] for test in tests}


def main(_: list[str]) -> None:
    if TASK.value == "adding" and LONG.value < LENGTH.value:
        raise app.UsageError(
            "--long must be at least --length. Choose longer test sequences. "
            f"Received: long={LONG.value}, length={LENGTH.value}"
        )
    found: dict[str, list[float]] = collections.defaultdict(list)
    unroll = TASK.value == "rows"  # Faster for a few steps.
    for seed in range(SEEDS.value):
        keras.utils.set_random_seed(seed)
        results = train("lstm", keras.layers.LSTM(UNITS.value, unroll=unroll))
        keras.utils.set_random_seed(seed)
        layer = tf_discrete.layers.GumbelGateLSTM(
            UNITS.value, estimator(), seed=seed, forget_bias=2.0, unroll=unroll
        )
        results |= train("hard", layer)
        reads, keeps = np.mean(layer.gate_values(data("test")[0]), axis=(0, 1, 3))
        results |= {"reads": float(1 - reads), "keeps": float(1 - keeps)}
        for name, value in results.items():
            found[name].append(value)
        rounded = {name: round(value, 4) for name, value in results.items()}
        print(f"seed {seed}: {rounded}", flush=True)
    mean = {name: statistics.fmean(values) for name, values in found.items()}
    what, form = ("squared error", ".4f") if TASK.value == "adding" else ("accuracy", ".1%")
    print(f"test {what}, Keras' LSTM       {mean['lstm']:{form}}")
    print(f"test {what}, gates of 0 and 1  {mean['hard']:{form}}")
    if TASK.value == "adding":
        longer = f"test {what} of {LONG.value} steps"
        print(f"{longer}, Keras' LSTM       {mean['lstm_long']:{form}}")
        print(f"{longer}, gates of 0 and 1  {mean['hard_long']:{form}}")
        variance = float(np.var(data("test")[1]))
        print(f"test {what}, of the mean       {variance:{form}}")
    print(f"input gates that are closed       {mean['reads']:.1%}")
    print(f"forget gates that are closed      {mean['keeps']:.1%}")


if __name__ == "__main__":
    app.run(main)
