"""A non-trainable scalar variable that follows a schedule."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.built_by_constructor import BuiltByConstructor
from tf_discrete.schedules import schedule as schedule_lib
from tf_discrete.types import Config, ScheduleLike, Shape, Tensor

SMALLEST = 1e-30
"""Positive values are at least this: a logit divided by it stays finite in float32."""
TOO_SMALL = f"at least {SMALLEST}, for float32 divides by it. Give a larger number or schedule"


@keras.saving.register_keras_serializable("tf_discrete.schedules")
class ScheduledVariable(BuiltByConstructor, keras.layers.Layer):
    """A scalar variable, saved with its owner, set from the step inside the compiled training step.

    A Python float would be frozen into the traced step, and a callback lags when several steps run in
    one execution; this does neither. Every replica sets its own copy, so that `update` merges nothing
    between replicas and may be called inside a forward pass; the copies agree where the steps do.

    Args:
        schedule: Float or schedule.
        name: Name of the value, as it is logged: "temperature", "kl_weight", ...
        positive: Bool, whether only values > 0 are allowed; of a Keras schedule step 0 is checked.

    Raises:
        ValueError: a value that is not finite, or not positive where it must be.

    Example:
        >>> from tf_discrete.schedules import Linear
        >>> weight = ScheduledVariable(Linear(0.0, 1.0, steps=100), name="kl_weight")
        >>> weight.update(50)
        >>> float(weight.value)
        0.5
    """

    def __init__(
        self, schedule: ScheduleLike, name: str = "scheduled", positive: bool = False, **kwargs: Any
    ):
        checks.text("name", name)
        super().__init__(name=name, dtype="float32", trainable=False, **_without_dtype(kwargs))
        self.schedule = schedule_lib.get(schedule, name)
        self.positive = checks.flag("positive", positive)
        initial = float(self.schedule(0))
        if positive:
            if not self.lowest > 0:
                raise ValueError(
                    f"{name} must be positive at every step. Give a number > 0, or a schedule that "
                    f"stays above 0. Received: {name}={self.lowest}"
                )
            if self.lowest < SMALLEST:
                checks.refuse(name, TOO_SMALL, self.lowest)
        if not math.isfinite(initial):
            raise ValueError(f"{name} must be finite. Received: {name}={initial}")
        self.variable = self.add_weight(
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(initial),
            trainable=False,
            autocast=False,
            name=name,
        )
        self.build(())

    def compute_output_shape(self, input_shape: Shape = ()) -> tuple[()]:
        return ()

    @property
    def lowest(self) -> float:
        """Returns the smallest value at any step; of a Keras schedule that at step 0."""
        ours = isinstance(self.schedule, schedule_lib.Schedule)
        return self.schedule.lowest() if ours else float(self.schedule(0))

    @property
    def value(self) -> tf.Tensor:
        """Returns the value now, float32 scalar."""
        return tf.convert_to_tensor(self.variable)

    def update(self, step: Tensor) -> None:
        """Sets the variable to the schedule's value at `step`."""
        self.variable.assign(tf.cast(self.schedule(step), tf.float32))

    def call(self) -> tf.Tensor:
        return self.value

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "positive": self.positive,
        }


def scheduled_values(layer: keras.layers.Layer) -> Iterator[ScheduledVariable]:
    """All `ScheduledVariable` of a layer or model, each once, in the order in which its parts were made."""
    seen: set[int] = set()

    def walk(inner: keras.layers.Layer) -> Iterator[ScheduledVariable]:
        if id(inner) in seen:
            return
        seen.add(id(inner))
        if isinstance(inner, ScheduledVariable):
            yield inner
        for part in inner._layers:
            yield from walk(part)

    yield from walk(layer)


def _without_dtype(kwargs: Config) -> Config:
    return {key: value for key, value in kwargs.items() if key not in ("dtype", "trainable")}
