"""The exponential average of a model's weights, which takes their place where a run is evaluated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


class WeightAverage:
    """Exchanges the weights of a model for the average that its optimizer keeps of them.

    Non-trainable weights, such as the statistics of batch normalisation, have no average and stay.

    Args:
        model: Compiled, with an optimizer of `use_ema=True` that is built.
    """

    def __init__(self, model: keras.Model):
        optimizer: Any = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self._pairs = list(
            zip(
                optimizer._trainable_variables,
                optimizer._model_variables_moving_average,
                strict=True,
            )
        )
        self.in_use = False

    def exchange(self) -> None:
        """Puts the averages into the model and the weights into the averages; again, and all is as before."""
        for variable, average in self._pairs:
            weights, mean = variable.numpy(), average.numpy()
            variable.assign(mean)
            average.assign(weights)
        self.in_use = not self.in_use

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Has the averages in the model for a while."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()


class UseAverage(keras.callbacks.Callback):
    """Puts the averages into the model for validation, and for the callbacks until `UseWeights`."""

    def __init__(self, average: WeightAverage):
        super().__init__()
        self.average = average

    def on_test_begin(self, logs: object = None) -> None:
        if not self.average.in_use:
            self.average.exchange()


class UseWeights(keras.callbacks.Callback):
    """Puts the weights back at the end of an epoch."""

    def __init__(self, average: WeightAverage):
        super().__init__()
        self.average = average

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        if self.average.in_use:
            self.average.exchange()
