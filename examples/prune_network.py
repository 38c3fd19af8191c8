"""Prunes a classifier by gates that are exactly 0, next to pruning by magnitude.

    python -m examples.prune_network

Every weight has a gate of `hard_concrete`, and the expected share of open gates is added to the loss. Weights
whose gate is closed after training are gone. For each strength of this penalty the same network without gates
is trained for half of the steps, cut to the same number of weights by magnitude, and trained on for the
other half. With `--gates=units` whole units are pruned: pixels, and units of the hidden layers.
"""

from __future__ import annotations

import keras
import numpy as np
from absl import app, flags

import tf_discrete

DATASET = flags.DEFINE_string("dataset", "digits", "Data set with labels.")
GATES = flags.DEFINE_enum("gates", "weights", ["weights", "units"], "What has a gate.")
PENALTIES = flags.DEFINE_multi_float(
    "penalty", [1.0, 5.0, 20.0], "Of the expected share of open gates, in nats; a run for each."
)
UNITS = flags.DEFINE_list("units", ["300", "100"], "Units of the hidden layers.")
EPOCHS = flags.DEFINE_integer("epochs", 100, "Passes over the training images.", lower_bound=2)
SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of both networks.", lower_bound=1)
MAX_EXAMPLES = flags.DEFINE_integer("max_examples", None, "Training and test images. Default: all.")
SPEED = 10.0
"""Gates are learned this much faster than weights: they have a longer way to go."""


def images(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images, float32 [n, pixels] in [0, 1], and their classes, int [n]."""
    data = tf_discrete.datasets.get(DATASET.value, split, max_examples=MAX_EXAMPLES.value)
    assert data.labels is not None
    return np.reshape(data.images, [len(data), -1]).astype(np.float32) / 255, np.asarray(
        data.labels
    )


class GatedDense(keras.layers.Layer):
    """A dense layer with a gate for each weight, or for each input.

    Args:
        units: Int, size of the output.
        penalty: Float, weight of the expected number of weights that are left.
        seed: Int, of the gates.
    """

    def __init__(self, units: int, penalty: float, seed: int):
        super().__init__()
        self.units, self.penalty = units, penalty
        self.gates = tf_discrete.StochasticLayer("hard_concrete", latents="bernoulli", seed=seed)

    def build(self, shape: tuple[int | None, ...]) -> None:
        assert shape[-1] is not None
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.gate_shape = (shape[-1], self.units if GATES.value == "weights" else 1)
        open_gates = keras.initializers.Constant(2.0 / SPEED)
        self.gate_logits = self.add_weight(
            shape=(1, int(np.prod(self.gate_shape))), initializer=open_gates, name="gate_logits"
        )

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        logits, estimator = SPEED * self.gate_logits, self.gates.estimator
        if training:
            gates = self.gates(logits, training=True)
            weights = self.units / self.gate_shape[1]  # of a gate
            self.add_loss(self.penalty * weights * estimator.expected_l0(logits)[0])
        else:
            gates = estimator.expected_gate(logits)
        pruned = self.kernel * keras.ops.reshape(gates, self.gate_shape)
        return keras.ops.matmul(inputs, pruned) + self.bias

    def weights_left(self) -> np.ndarray:
        """Which weights have an open gate, bool [inputs, units]."""
        gates = self.gates.estimator.expected_gate(SPEED * self.gate_logits)
        return np.broadcast_to(np.reshape(gates, self.gate_shape) > 0, self.kernel.shape)


class MaskedDense(keras.layers.Dense):
    """A dense layer, some weights of which may be 0 for ever."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        super().build(shape)
        self.mask = self.add_weight(
            shape=self.kernel.shape, initializer="ones", trainable=False, name="mask"
        )

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return self.activation(keras.ops.matmul(inputs, self.kernel * self.mask) + self.bias)


def fit(model: keras.Model, epochs: int) -> float:
    """Trains a model, and returns its test accuracy."""
    x, y = images("train")
    steps = epochs * -(-len(x) // 100)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps, alpha=0.01)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=100, epochs=epochs, verbose=0)
    return model.evaluate(*images("test"), verbose=0, return_dict=True)["accuracy"]


def sizes() -> list[int]:
    """Units of all layers but the input."""
    classes = tf_discrete.datasets.get(DATASET.value, "test", max_examples=1).num_classes
    return [*(int(units) for units in UNITS.value), classes]


def network(layers: list[keras.layers.Layer]) -> keras.Model:
    """A classifier with a rectifier between its dense layers."""
    pixels = images("test")[0].shape[1]
    between = [part for layer in layers for part in (layer, keras.layers.ReLU())]
    return keras.Sequential([keras.Input([pixels]), *between[:-1]])


def gated(penalty: float, seed: int) -> tuple[float, list[np.ndarray]]:
    """Test accuracy with gates, and the weights that are left of each layer."""
    keras.utils.set_random_seed(seed)
    inputs = [images("test")[0].shape[1], *sizes()]
    each = penalty / sum(a * b for a, b in zip(inputs[:-1], inputs[1:], strict=True))
    layers = [GatedDense(units, each, seed) for units in sizes()]
    accuracy = fit(network(layers), EPOCHS.value)
    return accuracy, [layer.weights_left() for layer in layers]


def by_magnitude(left: list[np.ndarray], seed: int) -> tuple[float, float]:
    """Test accuracy of the whole network, and of the largest weights after further training.

    Args:
        left: Weights that the gates have left; as many of each layer are left here. With a gate
            for each unit, they are those of the units with the largest weights.
        seed: Of the weights and the order of the images.
    """
    keras.utils.set_random_seed(seed)
    layers = [MaskedDense(units) for units in sizes()]
    model = network(layers)
    whole = fit(model, EPOCHS.value // 2)
    for layer, some in zip(layers, left, strict=True):
        size = np.abs(layer.kernel.numpy())
        if GATES.value == "units":
            size = np.broadcast_to(np.linalg.norm(size, axis=1, keepdims=True), size.shape)
        smallest = np.sort(size, axis=None)[::-1][max(int(some.sum()) - 1, 0)]
        layer.mask.assign(size >= smallest if some.any() else np.zeros_like(size))
    return whole, fit(model, EPOCHS.value - EPOCHS.value // 2)


def main(_: list[str]) -> None:
    print("penalty  seed  weights left  units left       gates   magnitude  not pruned")
    for penalty in PENALTIES.value:
        rows = []
        for seed in range(SEEDS.value):
            accuracy, left = gated(penalty, seed)
            whole, pruned = by_magnitude(left, seed)
            share = sum(one.sum() for one in left) / sum(one.size for one in left)
            units = "-".join(str(int(one.any(axis=1).sum())) for one in left)
            rows.append((share, accuracy, pruned, whole))
            report(penalty, str(seed), units, *rows[-1])
        report(penalty, "mean", "", *np.mean(rows, axis=0))


def report(penalty: float, seed: str, units: str, share: float, *accuracies: float) -> None:
    found = "".join(f"  {accuracy:10.1%}" for accuracy in accuracies)
    print(f"{penalty:7g}  {seed:>4s}  {share:12.2%}  {units:10s}{found}", flush=True)


if __name__ == "__main__":
    app.run(main)
