"""Schedule objects: serialisable functions of the optimizer's step.

They are Keras learning-rate schedules too, so each serves for a temperature, a KL weight, a slope or a
learning rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete._internal.registry import ClassRegistry
from tf_discrete.schedules import functions
from tf_discrete.types import Config, ScheduleLike, Tensor


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A scalar that is a function of the step. Subclasses say `__call__` and `lowest`."""

    def lowest(self) -> float:
        """Returns the smallest value at any step >= 0."""
        raise NotImplementedError

    def values(self, steps: ArrayLike) -> np.ndarray:
        """float32 values at an array of steps, to draw the schedule before training."""
        return np.asarray(self(tf.convert_to_tensor(np.asarray(steps))))


REGISTRY: ClassRegistry[keras.optimizers.schedules.LearningRateSchedule] = ClassRegistry(
    "schedule",
    keras.optimizers.schedules.LearningRateSchedule,
    "tf_discrete.schedules",
    "a number, an object, a class or a config of tf_discrete.schedules, or a learning-rate schedule of Keras",
)
_Class = TypeVar("_Class", bound=type[keras.optimizers.schedules.LearningRateSchedule])


def register(name: str) -> Callable[[_Class], _Class]:
    """Class decorator: makes a schedule known by a name, for `get`, and to Keras.

    Raises:
        ValueError: Another class has the name.
    """
    return REGISTRY.register(name)


def names() -> list[str]:
    """Names that `get` takes.

    Example:
        >>> names()
        ['cosine', 'exponential', 'linear']
    """
    return REGISTRY.names()


@REGISTRY.takes_number
class Constant(Schedule):
    """The same value at every step.

    Args:
        value: Float, the value of the schedule.

    Raises:
        ValueError: The value is no finite number.

    Example:
        >>> float(Constant(0.5)(1000))
        0.5
    """

    def __init__(self, value: float):
        self.value = checks.number("value", value)

    def __call__(self, step: Tensor) -> tf.Tensor:
        return tf.fill(tf.shape(step), tf.constant(self.value, tf.float32))

    def lowest(self) -> float:
        return self.value

    def get_config(self) -> Config:
        return {"value": self.value}


@register("exponential")
class Exponential(Schedule):
    """max(floor, initial * exp(-rate * step)), updated every `update_period` steps.

    Args:
        initial: Float, value at step 0. Default: 1.0.
        rate: Float >= 0, decay per step. Default: 1e-4.
        floor: Float, smallest value. Default: 0.5.
        update_period: Int >= 1, steps between two changes. Default: 1.

    Raises:
        ValueError: A number is out of range, or the floor is not below the initial value.

    Example:
        >>> schedule = Exponential(initial=1.0, rate=1e-4, floor=0.5, update_period=1000)
        >>> round(float(schedule(6500)), 4)
        0.5488

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """

    def __init__(
        self, initial: float = 1.0, rate: float = 1e-4, floor: float = 0.5, update_period: int = 1
    ):
        self.initial = checks.number("initial", initial)
        self.rate = checks.number("rate", rate, lowest=0)
        self.floor = checks.number("floor", floor)
        self.update_period = checks.whole("update_period", update_period)
        if self.rate > 0 and self.floor >= self.initial:
            raise ValueError(
                "floor must lie below initial, or the schedule never moves; use Constant for that. "
                f"Received: floor={floor!r}, initial={initial!r}"
            )

    def __call__(self, step: Tensor) -> tf.Tensor:
        return functions.exponential(step, self.initial, self.rate, self.floor, self.update_period)

    def lowest(self) -> float:
        return self.floor if self.rate > 0 else max(self.floor, self.initial)

    def get_config(self) -> Config:
        return {
            "initial": self.initial,
            "rate": self.rate,
            "floor": self.floor,
            "update_period": self.update_period,
        }


class _Ramp(Schedule):
    """Base class of `Linear` and `Cosine`: two ends, a start and a length."""

    def __init__(self, initial: float, final: float, steps: int, begin: int = 0):
        self.initial = checks.number("initial", initial)
        self.final = checks.number("final", final)
        self.steps = checks.whole("steps", steps, 1, checks.INT64_MAX)
        self.begin = checks.whole("begin", begin, 0, checks.INT64_MAX)

    def lowest(self) -> float:
        return min(self.initial, self.final)

    def get_config(self) -> Config:
        return {
            "initial": self.initial,
            "final": self.final,
            "steps": self.steps,
            "begin": self.begin,
        }


@register("linear")
class Linear(_Ramp):
    """From `initial` to `final` on a straight line over `steps` steps, starting at step `begin`.

    Example:
        >>> float(Linear(0.0, 1.0, steps=1000)(250))
        0.25
    """

    def __call__(self, step: Tensor) -> tf.Tensor:
        return functions.linear(step, self.initial, self.final, self.begin, self.steps)


@register("cosine")
class Cosine(_Ramp):
    """From `initial` to `final` on half a cosine over `steps` steps, starting at step `begin`.

    Example:
        >>> round(float(Cosine(1.0, 0.5, steps=1000)(500)), 4)
        0.75
    """

    def __call__(self, step: Tensor) -> tf.Tensor:
        return functions.cosine(step, self.initial, self.final, self.begin, self.steps)


def get(
    schedule: ScheduleLike, argument: str = "schedule", **arguments: Any
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns a schedule from a number, a name, a class, a config, or itself.

    Args:
        schedule: what is given.
        argument: what messages call it. Default: "schedule".
        **arguments: Arguments of the constructor, if a name or a class is given.

    Raises:
        ValueError: anything else, or arguments without a taker.

    Example:
        >>> get(0.5).get_config()
        {'value': 0.5}
        >>> round(float(get("cosine", initial=1.0, final=0.5, steps=1000)(500)), 4)
        0.75
    """
    return REGISTRY.get(schedule, argument, **arguments)
