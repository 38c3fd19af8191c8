"""Reads a key-value memory at one discrete address, next to soft addressing: associative recall.

    python -m examples.memory_address

A memory holds some pairs of a random key and a symbol. The query is one of the keys with noise, and the
answer is its symbol. Both networks learn how to compare queries with keys. Soft addressing reads a weighted
mean of all slots; discrete addressing reads one slot, by straight-through Gumbel-Softmax in training and the
best match at inference. Printed are the test accuracy and the slots that are read, also for a memory that is
larger than in training.
"""

from __future__ import annotations

import keras
import numpy as np
from absl import app, flags

import tf_discrete

KEY, SYMBOLS = 16, 10
SLOTS = flags.DEFINE_integer("slots", 16, "Pairs in the memory, in training.", lower_bound=2)
STEPS = flags.DEFINE_integer("steps", 2000, "Training steps.", lower_bound=1)
NOISE = flags.DEFINE_float(
    "noise", 0.5, "Standard deviation of the noise of a query.", lower_bound=0
)
ESTIMATOR = flags.DEFINE_string("estimator", "straight_through_gumbel_softmax", "Of the address.")


def examples(count: int, slots: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Memories and queries, and the answers."""
    draw = np.random.default_rng(seed)
    keys = draw.normal(size=[count, slots, KEY]).astype(np.float32)
    symbols = draw.integers(SYMBOLS, size=[count, slots])
    asked = draw.integers(slots, size=count)
    noise = NOISE.value * draw.normal(size=[count, KEY])
    query = (keys[np.arange(count), asked] + noise).astype(np.float32)
    values = np.eye(SYMBOLS, dtype=np.float32)[symbols]
    return {"keys": keys, "values": values, "query": query}, symbols[np.arange(count), asked]


@keras.saving.register_keras_serializable("examples")
class Memory(keras.layers.Layer):
    """Compares a query with keys, and reads the values at the address."""

    def __init__(self, address: keras.layers.Layer):
        super().__init__()
        self.address = address
        self.of_query, self.of_keys = keras.layers.Dense(KEY), keras.layers.Dense(KEY)

    def call(
        self, inputs: dict[str, keras.KerasTensor], training: bool = False
    ) -> keras.KerasTensor:
        query, keys = self.of_query(inputs["query"]), self.of_keys(inputs["keys"])
        logits = keras.ops.einsum("bd,bsd->bs", query, keys)[:, None]  # One variable.
        return keras.ops.matmul(self.address(logits, training=training), inputs["values"])[:, 0]


def train(address: keras.layers.Layer) -> keras.Model:
    """Trains a network on memories of the size of training."""
    keras.utils.set_random_seed(0)
    inputs = {
        "keys": keras.Input([None, KEY], name="keys"),
        "values": keras.Input([None, SYMBOLS], name="values"),
        "query": keras.Input([KEY], name="query"),
    }
    model = keras.Model(inputs, keras.layers.Dense(SYMBOLS)(Memory(address)(inputs)))
    model.compile(
        keras.optimizers.Adam(3e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*examples(100 * STEPS.value, SLOTS.value, 0), batch_size=100, epochs=1, verbose=0)
    return model


def main(_: list[str]) -> None:
    networks = {
        "soft": (train(keras.layers.Softmax()), "all"),
        "discrete": (train(tf_discrete.StochasticLayer(ESTIMATOR.value, seed=0)), "1"),
    }
    print("address    slots  read   test accuracy")
    for slots in (SLOTS.value, 8 * SLOTS.value):
        data = examples(5000, slots, 1)
        for name, (model, read) in networks.items():
            accuracy = model.evaluate(*data, verbose=0, return_dict=True)["accuracy"]
            print(f"{name:9s}  {slots:5d}  {read:>4s}   {accuracy:.1%}", flush=True)


if __name__ == "__main__":
    app.run(main)
