"""Callbacks that watch discrete latents during plain `fit`, and one that moves classes."""

from tf_discrete.callbacks.code_usage import CodeUsageCallback
from tf_discrete.callbacks.collapse_warning import CollapseWarning
from tf_discrete.callbacks.reorder_classes import ReorderClasses
from tf_discrete.callbacks.temperature_logger import TemperatureLogger

__all__ = ["CodeUsageCallback", "CollapseWarning", "ReorderClasses", "TemperatureLogger"]
