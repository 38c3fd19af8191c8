"""Keras optimizers: Adam in one pass over memory, of a table's touched rows alone, or rectified."""

from tf_discrete.optimizers.fused_adam import FusedAdam
from tf_discrete.optimizers.lazy_adam import LazyAdam
from tf_discrete.optimizers.rectified_adam import RectifiedAdam

__all__ = ["FusedAdam", "LazyAdam", "RectifiedAdam"]
