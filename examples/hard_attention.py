"""Classifies digits from a few patches, one discrete location for each glimpse, next to soft attention.

    python -m examples.hard_attention
    python -m examples.hard_attention --estimator=score_function

Images of 8 x 8 pixels are 16 patches of 2 x 2. A glimpse chooses one patch from what the glimpses before
have seen; the classifier sees the chosen patches alone. Any estimator trains the locations, those that see
the loss alone among them. At inference a location is the most probable one, and its patch is all that is
read. Soft attention reads a weighted mean of all patches at every glimpse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from tf_discrete import datasets, estimators, seeds

PATCHES, SIZE, CLASSES = 16, 2, 10
GLIMPSES = flags.DEFINE_multi_integer(
    "glimpses", [3, 6], "Patches that are chosen, a run for each."
)
EPOCHS = flags.DEFINE_integer("epochs", 100, "Passes over the training images.", lower_bound=1)
MAX_EXAMPLES = flags.DEFINE_integer("max_examples", None, "Training and test images. Default: all.")
ESTIMATOR = flags.DEFINE_string("estimator", "straight_through_gumbel_softmax", "Of the locations.")


def patches(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Digits as patches with their place, float32 [n, 16, 4 + 16], and their classes, int [n]."""
    data = datasets.get("digits", split, max_examples=MAX_EXAMPLES.value)
    assert data.labels is not None
    images = np.asarray(data.images, np.float32).reshape([-1, 4, SIZE, 4, SIZE]) / 255
    pixels = images.transpose(0, 1, 3, 2, 4).reshape([-1, PATCHES, SIZE * SIZE])
    places = np.broadcast_to(np.eye(PATCHES, dtype=np.float32), [len(pixels), PATCHES, PATCHES])
    return np.concatenate([pixels, places], axis=-1), np.asarray(data.labels)


class Glimpses(keras.Model):
    """Reads images glimpse by glimpse, with soft attention or with discrete locations.

    Args:
        count: Int, number of glimpses.
        estimator: Name of the estimator of the locations; None for soft attention.
    """

    def __init__(self, count: int, estimator: str | None):
        super().__init__()
        self.memory, self.where = keras.layers.GRUCell(64), keras.layers.Dense(PATCHES)
        self.classify = keras.layers.Dense(CLASSES)
        self.count = count
        self.locations = [estimators.get(estimator) for _ in range(count if estimator else 0)]
        for location in self.locations:
            location.build((None, 1, PATCHES), (None, PATCHES))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Logits of the classes, [B, 10]; of patches that are chosen no other is read."""

        def read(logits: tf.Tensor) -> tf.Tensor:
            if self.locations:
                return tf.gather(inputs, tf.argmax(logits, axis=-1), batch_dims=1)
            return tf.linalg.matvec(inputs, tf.nn.softmax(logits), transpose_a=True)

        state = tf.zeros([tf.shape(inputs)[0], 64])
        for _ in range(self.count):
            state = self.next(state, read(self.where(state)))
        return self.classify(state)

    def next(self, state: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
        """The state [*A, 64] after patches [*A, 20]."""
        rows = tf.reshape(seen, [-1, seen.shape[-1]])
        after = self.memory(rows, [tf.reshape(state, [-1, 64])])[0]
        return tf.reshape(after, tf.concat([tf.shape(seen)[:-1], [64]], axis=0))

    def after(self, inputs: tf.Tensor, locations: Sequence[tf.Tensor]) -> tf.Tensor:
        """The state after locations [*A, 1, 16], the last of which has all leading axes."""
        lead = tf.shape(locations[-1])[:-2] if locations else tf.shape(inputs)[:1]
        state = tf.zeros(tf.concat([lead, [64]], axis=0))
        for z in locations:
            seen = tf.matmul(z, inputs)[..., 0, :]
            state = self.next(state, tf.broadcast_to(seen, tf.concat([lead, [20]], axis=0)))
        return state

    def compute_loss(
        self, x: tf.Tensor, y: tf.Tensor, y_pred: tf.Tensor, sample_weight: None, training: bool
    ) -> tf.Tensor:
        loss: Callable[..., tf.Tensor] = tf.nn.sparse_softmax_cross_entropy_with_logits
        if not (training and self.locations):
            return tf.reduce_mean(loss(y, y_pred))

        def objective(z: Sequence[tf.Tensor], _: Sequence[tf.Tensor]) -> tf.Tensor:
            logits = self.classify(self.after(x, z))
            return loss(tf.broadcast_to(y, tf.shape(logits)[:-1]), logits)

        estimate = estimators.nested_estimate(
            self.locations,
            lambda z: self.where(self.after(x, z))[..., tf.newaxis, :],
            objective,
            seeds.fold(seeds.base(0), "step", self.optimizer.iterations),
            num_samples=max(location.min_samples for location in self.locations),
            training=True,
        )
        return tf.reduce_mean(estimate.value + estimate.auxiliary)


def train(count: int, estimator: str | None) -> float:
    """Trains a classifier, and returns its test accuracy."""
    keras.utils.set_random_seed(0)
    model = Glimpses(count, estimator)
    model.compile(keras.optimizers.Adam(5e-3), metrics=["accuracy"])
    model.fit(*patches("train"), batch_size=100, epochs=EPOCHS.value, verbose=0)
    return model.evaluate(*patches("test"), verbose=0, return_dict=True)["accuracy"]


def main(_: list[str]) -> None:
    print("glimpses  attention  patches read  test accuracy")
    for count in GLIMPSES.value:
        soft = train(count, None)
        print(f"{count:8d}  soft       {PATCHES:2d} of {PATCHES}      {soft:.1%}", flush=True)
        hard = train(count, ESTIMATOR.value)
        print(f"{count:8d}  discrete   {count:2d} of {PATCHES}      {hard:.1%}", flush=True)


if __name__ == "__main__":
    app.run(main)
