"""Classifies digits from a few patches, one discrete location for each glimpse, next to soft attention.

    python -m examples.hard_attention

Images of 8 x 8 pixels are 16 patches of 2 x 2. A glimpse chooses one patch from what the glimpses before
have seen; the classifier sees the chosen patches alone. Discrete locations are trained by
straight-through Gumbel-Softmax, and at inference only the chosen patches are read. Soft attention reads a
weighted mean of all patches at every glimpse.
"""

from __future__ import annotations

import keras
import numpy as np
from absl import app, flags

import tf_discrete

PATCHES, SIZE = 16, 2
GLIMPSES = flags.DEFINE_multi_integer(
    "glimpses", [3, 6], "Patches that are chosen, a run for each."
)
EPOCHS = flags.DEFINE_integer("epochs", 100, "Passes over the training images.", lower_bound=1)
MAX_EXAMPLES = flags.DEFINE_integer("max_examples", None, "Training and test images. Default: all.")
ESTIMATOR = flags.DEFINE_string("estimator", "straight_through_gumbel_softmax", "Of the locations.")


def patches(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Digits as patches with their place, float32 [n, 16, 4 + 16], and their classes, int [n]."""
    data = tf_discrete.datasets.get("digits", split, max_examples=MAX_EXAMPLES.value)
    assert data.labels is not None
    images = np.asarray(data.images, np.float32).reshape([-1, 4, SIZE, 4, SIZE]) / 255
    pixels = images.transpose(0, 1, 3, 2, 4).reshape([-1, PATCHES, SIZE * SIZE])
    places = np.broadcast_to(np.eye(PATCHES, dtype=np.float32), [len(pixels), PATCHES, PATCHES])
    return np.concatenate([pixels, places], axis=-1), np.asarray(data.labels)


class Glimpses(keras.layers.Layer):
    """Reads an image patch by patch.

    Args:
        count: Int, number of glimpses.
        location: Layer that turns the logits of a location, [batch, 1, 16], into weights of the patches.
    """

    def __init__(self, count: int, location: keras.layers.Layer):
        super().__init__()
        self.count, self.location = count, location
        self.memory, self.where = keras.layers.GRUCell(64), keras.layers.Dense(PATCHES)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        state = keras.ops.zeros([keras.ops.shape(inputs)[0], 64])
        for _ in range(self.count):
            weights = self.location(self.where(state)[:, None], training=training)
            seen = keras.ops.matmul(weights, inputs)[:, 0]
            _, (state,) = self.memory(seen, [state])
        return state


def train(count: int, location: keras.layers.Layer) -> float:
    """Trains a classifier, and returns its test accuracy."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input([PATCHES, SIZE * SIZE + PATCHES])
    model = keras.Model(inputs, keras.layers.Dense(10)(Glimpses(count, location)(inputs)))
    model.compile(
        keras.optimizers.Adam(5e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*patches("train"), batch_size=100, epochs=EPOCHS.value, verbose=0)
    return model.evaluate(*patches("test"), verbose=0, return_dict=True)["accuracy"]


def main(_: list[str]) -> None:
    print("glimpses  attention  patches read  test accuracy")
    for count in GLIMPSES.value:
        soft = train(count, keras.layers.Softmax())
        print(f"{count:8d}  soft       {PATCHES:2d} of {PATCHES}      {soft:.1%}", flush=True)
        hard = train(count, tf_discrete.StochasticLayer(ESTIMATOR.value, seed=0))
        print(f"{count:8d}  discrete   {count:2d} of {PATCHES}      {hard:.1%}", flush=True)


if __name__ == "__main__":
    app.run(main)
