"""`TemperatureLogger`: temperatures, KL weights and all else that follows a schedule, in the log."""

from __future__ import annotations

from collections import Counter

import keras

from tf_discrete.layers import StochasticLayer
from tf_discrete.schedules import ScheduledVariable, scheduled_values
from tf_discrete.types import Logs


class TemperatureLogger(keras.callbacks.Callback):
    """Logs, at the end of every epoch, each scheduled value of a model as its last step used it.

    The field is the name of the value, such as `temperature` or `kl_weight`; where several layers have
    one of that name, it is preceded by the layer's: `my_layer/temperature`. List it before callbacks that
    write the log to a file.

    Raises:
        ValueError: when training begins, a model that holds no scheduled value.

    Example:
        >>> import numpy as np
        >>> from tf_discrete import layers, schedules
        >>> model = keras.Sequential([
        ...     layers.GumbelSoftmax(temperature=schedules.Linear(1.0, 0.5, steps=4)),
        ...     keras.layers.Flatten(),
        ... ])
        >>> model.compile("sgd", loss="mse")
        >>> x, y = np.zeros([6, 2, 3], "float32"), np.zeros([6, 6], "float32")
        >>> log = TemperatureLogger()
        >>> model.fit(x, y, batch_size=2, epochs=2, verbose=0, callbacks=[log]).history["temperature"]
        [0.75, 0.5]
    """

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self.scheduled = named_scheduled_values(model)
        if not self.scheduled:
            raise ValueError(
                "The model holds no scheduled value to log. Put a layer of tf_discrete.layers into it, or "
                f"train a model of tf_discrete.models. Received: model={model.name!r}"
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs.update({name: float(value.value) for name, value in self.scheduled.items()})


def named_scheduled_values(model: keras.Model) -> dict[str, ScheduledVariable]:
    """Returns the scheduled values of a model under names that tell them apart."""
    owners: dict[int, str] = {}
    for layer in model._flatten_layers():
        if isinstance(layer, StochasticLayer):
            owners.update({id(value): layer.name for value in scheduled_values(layer)})
    values = list({id(value): value for value in scheduled_values(model)}.values())
    counts = Counter(value.name for value in values)
    return {
        value.name if counts[value.name] == 1 else _qualified(value, owners): value
        for value in values
    }


def _qualified(value: ScheduledVariable, owners: dict[int, str]) -> str:
    owner = owners.get(id(value))
    return f"{owner}/{value.name}" if owner else value.name
