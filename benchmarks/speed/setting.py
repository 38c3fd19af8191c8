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
    """Sizes of a VAE of 784 pixels, or of the semi-supervised M2.

    Attributes:
        hidden: Units of the encoders' hidden layers; the decoder mirrors them.
        latents: "categorical" or "bernoulli".
        variables: of a code.
        categories: of a variable; M2's classes.
        style: Gaussian variables of M2, which sees as many labelled images in a step as unlabelled ones; 0 in
            a VAE.
    """

    hidden: tuple[int, ...]
    latents: str
    variables: int
    categories: int
    style: int = 0

    @property
    def logits(self) -> int:
        """Number of logits for an image; a relaxed sample has as many numbers."""
        return self.variables * (1 if self.latents == "bernoulli" else self.categories)

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each dense layer: of the encoders, then of the decoder.

        M2's encoders are those of the class and of the style, whose first layer adds a part of the image and
        a part of the class.
        """
        encoder = _layers(PIXELS, *self.hidden, self.logits)
        if not self.style:
            return (*encoder, *((outputs, inputs) for inputs, outputs in reversed(encoder)))
        style = _layers(PIXELS, *self.hidden, 2 * self.style)
        of_class = (self.categories, self.hidden[0])
        decoder = _layers(self.categories + self.style, *reversed(self.hidden), PIXELS)
        return (*encoder, style[0], of_class, *style[1:], *decoder)


MODELS = {
    "mlp": Model((512, 256), "categorical", 20, 10),
    "linear_categorical": Model((), "categorical", 20, 10),
    "linear_bernoulli": Model((), "bernoulli", 200, 2),
    "m2": Model((512, 256), "categorical", 1, 10, style=32),
}
ALPHA = 50.0
"""Weight of M2's classification term."""
TITLES = {
    "mlp": "784-512-256-(20 x 10)",
    "linear_categorical": "784-(20 x 10)",
    "linear_bernoulli": "784-200 bits",
    "m2": "M2, 784-512-256-(10 classes, 32)",
}
DTYPES = ("float32", "bfloat16")


class Setting(NamedTuple):
    """One race.

    Attributes:
        model: A name of `MODELS`.
        batch: Images of a step; M2 has as many more with labels.
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
        of_pixels = sum(
            i * o for i, o in self.sizes.layers if i == PIXELS
        )  # They have no gradient.
        rows = self.batch * (2 if self.sizes.style else 1)
        return 2 * rows * (3 * sum(weights) - of_pixels)


def _layers(*units: int) -> tuple[tuple[int, int], ...]:
    return tuple(zip(units, units[1:], strict=False))


def labels(batch: int) -> np.ndarray:
    """Labels int [batch] of M2's labelled images, the first ones, in every step the same."""
    return np.arange(batch) % 10


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
