"""The setting of a race: a model, its batches and its data, and the arithmetic of a step."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

IMAGES = 54_000
PIXELS = 784
PEAK_SIZE = 1024
"""Rows and columns of the square matrices whose product gives the peak."""


class Model(NamedTuple):
    """Sizes of a VAE of 784 pixels.

    Attributes:
        hidden: Units of the encoder's hidden layers; the decoder mirrors them.
        latents: "categorical" or "bernoulli".
        variables: of a code.
        categories: of a variable.
    """

    hidden: tuple[int, ...]
    latents: str
    variables: int
    categories: int

    @property
    def logits(self) -> int:
        """Number of logits for an image; a relaxed sample has as many numbers."""
        return self.variables * (1 if self.latents == "bernoulli" else self.categories)

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each dense layer, encoder and decoder."""
        units = (PIXELS, *self.hidden, self.logits)
        encoder = tuple(zip(units, units[1:], strict=False))
        return (*encoder, *((outputs, inputs) for inputs, outputs in reversed(encoder)))


MODELS = {
    "mlp": Model((512, 256), "categorical", 20, 10),
    "linear_categorical": Model((), "categorical", 20, 10),
    "linear_bernoulli": Model((), "bernoulli", 200, 2),
}
TITLES = {
    "mlp": "784-512-256-(20 x 10)",
    "linear_categorical": "784-(20 x 10)",
    "linear_bernoulli": "784-200 bits",
}
DTYPES = ("float32", "bfloat16")


class Setting(NamedTuple):
    """One race.

    Attributes:
        model: A name of `MODELS`.
        batch: Images of a step.
        dtype: Of the matrix products; weights, noise, loss and optimiser are float32.
        threads: Of each framework.
        steps: Of a turn.
    """

    model: str
    batch: int
    dtype: str
    threads: int
    steps: int

    @property
    def sizes(self) -> Model:
        return MODELS[self.model]

    @property
    def operations(self) -> int:
        """Floating-point operations of a step's matrix products: forward, and back to weights and inputs."""
        weights = [inputs * outputs for inputs, outputs in self.sizes.layers]
        return 2 * self.batch * (3 * sum(weights) - weights[0])  # No gradient of the pixels.


def binary_images(path: pathlib.Path) -> None:
    """Writes images [IMAGES, 784] of 0 and 1, uint8: scikit-learn's digits, enlarged and binarised."""
    from sklearn import datasets

    digits = datasets.load_digits().images / 16.0
    rng = np.random.default_rng(0)
    chosen = digits[rng.integers(0, len(digits), IMAGES)]
    enlarged = np.pad(np.kron(chosen, np.ones([1, 3, 3])), [[0, 0], [2, 2], [2, 2]])
    np.save(path, (rng.random(enlarged.shape) < enlarged).astype(np.uint8).reshape(IMAGES, -1))


def peak(product: Callable[[], object]) -> float:
    """Returns the best rate of a product of two square matrices of `PEAK_SIZE`, in GFLOP/s."""
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - began)
    return round(2 * PEAK_SIZE**3 / min(seconds) / 1e9, 1)
