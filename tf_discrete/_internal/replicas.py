"""Averages that each replica keeps for itself inside the forward pass, and that are merged after it.

Under `tf.distribute` whatever merges values switches between the replicas' threads. Inside a forward pass
that mixes up the losses which Keras collects there, for all replicas share their list. A model that must sum
inside its forward pass does it between two networks, of which the first has added no loss: `summing`.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from tf_discrete.types import Tensor

_SYNCHRONIZED: contextvars.ContextVar[bool] = contextvars.ContextVar("synchronized", default=False)
_CALLED: contextvars.ContextVar[keras.layers.Layer | None] = contextvars.ContextVar(
    "called", default=None
)


@contextlib.contextmanager
def synchronized() -> Iterator[None]:
    """Marks the forward pass of a training step that calls `synchronize` after the gradient."""
    token = _SYNCHRONIZED.set(True)
    try:
        yield
    finally:
        _SYNCHRONIZED.reset(token)


@contextlib.contextmanager
def summing(called: keras.layers.Layer) -> Iterator[None]:
    """Marks the part of a `synchronized` forward pass in which `total` sums over the replicas.

    No layer may be called there that adds losses.

    Args:
        called: The network that the forward pass has called before.
    """
    token = _CALLED.set(called)
    try:
        yield
    finally:
        _CALLED.reset(token)


def check_synchronized(what: str, remedy: str) -> None:
    """Refuses several replicas in a training step that never calls `synchronize`.

    For averages that must not differ between replicas, other than those that only reduce a variance.

    Args:
        what: What has the averages, the subject of the message.
        remedy: How to train it.

    Raises:
        ValueError: There are several replicas, and the step does not merge their averages.
    """
    count = tf.distribute.get_strategy().num_replicas_in_sync
    if count > 1 and not _SYNCHRONIZED.get():
        raise ValueError(
            f"{what} must be merged over the replicas after every step, which this training step does not "
            f"do. {remedy}. Received: num_replicas_in_sync={count}"
        )


def total(*values: Tensor) -> Sequence[Tensor]:
    """Returns the sums of values over the replicas, with their gradient, where a model is `summing`.

    Everywhere else the values stay: a layer cannot know which losses Keras has collected before its call.

    Args:
        *values: Float tensors.

    Raises:
        ValueError: There are several replicas, and the network called before has added losses.

    Example:
        >>> [value.numpy().tolist() for value in total(tf.constant(1.0), tf.constant([2.0]))]
        [1.0, [2.0]]
    """
    context = tf.distribute.get_replica_context()
    called = _CALLED.get()
    if context is None or called is None or not _SYNCHRONIZED.get():
        return values
    count = context.num_replicas_in_sync
    if count == 1:
        return values
    if any(layer._get_own_losses() for layer in called._flatten_layers()):
        raise ValueError(
            "A loss of the whole batch cannot be summed over replicas after a network that adds losses of "
            "its own. Leave out its add_loss and activity_regularizer, set the quantiser's spread_weight or "
            "entropy_weight to 0, or train on one device. "
            f"Received: network={called.name!r}, num_replicas_in_sync={count}"
        )
    found: Sequence[Tensor] = context.all_reduce(tf.distribute.ReduceOp.SUM, list(values))
    return found


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
    # A tensor that was read elsewhere has no device, where several workers would reduce it to.
    values = [tf.identity(tf.convert_to_tensor(variable)) for variable in variables]
    means = context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
    for variable, mean in zip(variables, means, strict=True):
        variable.assign(mean)
