"""Reads digits pixel by pixel with an LSTM whose gates are open or closed, next to Keras' LSTM.

    python -m examples.discrete_gates

The embedded digits have 8 x 8 pixels, so the network remembers for up to 64 steps. Both networks have the
same sizes, data, seeds and steps. Printed are the test accuracy, for the discrete one with gates of exactly
0 and 1, and the share of gates that are closed. A unit whose input gate is closed need not be computed.
"""

from __future__ import annotations

import statistics

import keras
import numpy as np
from absl import app, flags

import tf_discrete

UNITS = flags.DEFINE_integer("units", 64, "Units of both LSTMs.", lower_bound=1)
EPOCHS = flags.DEFINE_integer("epochs", 60, "Passes over the training images.", lower_bound=1)
SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of both networks.", lower_bound=1)
MAX_EXAMPLES = flags.DEFINE_integer("max_examples", None, "Training and test images. Default: all.")
ESTIMATOR = flags.DEFINE_string(
    "estimator", "straight_through_gumbel_softmax", "Of the gates, in training."
)
TEMPERATURE = flags.DEFINE_float("temperature", 0.9, "Of the gates, in training.", lower_bound=1e-3)


def sequences(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Digits as sequences of pixels, float32 [n, 64, 1] in [0, 1], and their classes, int [n]."""
    data = tf_discrete.datasets.get("digits", split, max_examples=MAX_EXAMPLES.value)
    assert data.labels is not None
    pixels = np.asarray(data.images, np.float32).reshape([len(data), -1, 1]) / 255
    return pixels, np.asarray(data.labels)


def train(recurrent: keras.layers.Layer) -> float:
    """Trains a classifier on a recurrent layer, and returns its test accuracy."""
    model = keras.Sequential([keras.Input([64, 1]), recurrent, keras.layers.Dense(10)])
    model.compile(
        keras.optimizers.Adam(5e-3, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*sequences("train"), batch_size=100, epochs=EPOCHS.value, verbose=0)
    return model.evaluate(*sequences("test"), verbose=0, return_dict=True)["accuracy"]


def main(_: list[str]) -> None:
    found: dict[str, list[float]] = {"lstm": [], "hard": [], "reads": [], "keeps": []}
    for seed in range(SEEDS.value):
        keras.utils.set_random_seed(seed)
        found["lstm"].append(train(keras.layers.LSTM(UNITS.value)))
        keras.utils.set_random_seed(seed)
        layer = tf_discrete.layers.GumbelGateLSTM(
            UNITS.value, ESTIMATOR.value, TEMPERATURE.value, seed=seed
        )
        found["hard"].append(train(layer))
        pixels, _ = sequences("test")
        reads, keeps = np.mean(layer.gate_values(pixels), axis=(0, 1, 3))
        found["reads"].append(float(1 - reads))
        found["keeps"].append(float(1 - keeps))
        print(
            f"seed {seed}: { ({name: round(values[-1], 4) for name, values in found.items()}) }",
            flush=True,
        )
    mean = {name: statistics.fmean(values) for name, values in found.items()}
    print(f"test accuracy, Keras' LSTM                  {mean['lstm']:.1%}")
    print(f"test accuracy, gates of 0 and 1             {mean['hard']:.1%}")
    print(f"input gates that are closed                 {mean['reads']:.1%}")
    print(f"forget gates that are closed                {mean['keeps']:.1%}")


if __name__ == "__main__":
    app.run(main)
