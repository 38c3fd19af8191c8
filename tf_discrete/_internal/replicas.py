"""Averages that each replica keeps for itself inside the forward pass, and that are merged after it.

Under `tf.distribute` an assignment that merges its values switches between the replicas' threads. Inside a
forward pass that mixes up the losses which Keras collects there, for all replicas share their list.
"""

from __future__ import annotations

import keras
import tensorflow as tf


class ReplicaAverages:
    """Base of layers that own moving averages; their variables have the aggregation "none"."""

    def replica_averages(self) -> list[keras.Variable]:
        """Returns the variables to average over the replicas."""
        raise NotImplementedError


def synchronize(layer: keras.layers.Layer) -> None:
    """Averages all `ReplicaAverages` inside a layer or model over the replicas.

    A training step calls it after the gradient has been computed. A step that never does trains as well, but
    each replica then keeps averages of its own share of the batches, and the first one's are saved.
    On one device it does nothing.

    Args:
        layer: Layer or model.

    Example:
        >>> synchronize(keras.Sequential([keras.layers.Dense(1)]))
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return
    owners = [part for part in layer._flatten_layers() if isinstance(part, ReplicaAverages)]
    variables = [variable for owner in owners for variable in owner.replica_averages()]
    if not variables:
        return
    values = [tf.convert_to_tensor(variable) for variable in variables]
    means = context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
    for variable, mean in zip(variables, means, strict=True):
        variable.assign(mean)
