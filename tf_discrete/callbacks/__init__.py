"""Callbacks that watch discrete latents during plain `fit`."""

from tf_discrete.callbacks.code_usage import CodeUsageCallback
from tf_discrete.callbacks.collapse_warning import CollapseWarning
from tf_discrete.callbacks.temperature_logger import TemperatureLogger

__all__ = ["CodeUsageCallback", "CollapseWarning", "TemperatureLogger"]
