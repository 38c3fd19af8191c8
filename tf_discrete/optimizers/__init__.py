"""Keras optimizers with a faster update: in one pass over memory, or of a table's touched rows alone."""

from tf_discrete.optimizers.fused_adam import FusedAdam
from tf_discrete.optimizers.lazy_adam import LazyAdam

__all__ = ["FusedAdam", "LazyAdam"]
