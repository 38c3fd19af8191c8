"""Temperatures, weights and slopes as functions of the step."""

from tf_discrete.schedules.schedule import (
    Constant,
    Cosine,
    Exponential,
    Linear,
    Schedule,
    get,
    names,
    register,
)
from tf_discrete.schedules.scheduled import ScheduledVariable, scheduled_values

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Linear",
    "Schedule",
    "ScheduledVariable",
    "get",
    "names",
    "register",
    "scheduled_values",
]
