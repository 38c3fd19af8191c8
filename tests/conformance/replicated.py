"""What the checks on two logical CPUs share: the strategy, its data, and a count of merges."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

X = np.random.default_rng(0).integers(0, 2, [48, 12]).astype("float32")


@functools.cache
def strategy():
    """Both devices, which `two_devices` makes."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def on_replicas(variable):
    return [v.numpy() for v in strategy().experimental_local_results(variable.value)]


class Spy:
    """Counts the merges between replicas while it is entered."""

    def __enter__(self):
        self.merges, self._merge_call = 0, tf.distribute.ReplicaContext.merge_call

        def merge_call(context, *args, **kwargs):
            self.merges += 1
            return self._merge_call(context, *args, **kwargs)

        tf.distribute.ReplicaContext.merge_call = merge_call
        return self

    def __exit__(self, *error):
        tf.distribute.ReplicaContext.merge_call = self._merge_call


def merges(forward):
    """The merges of one forward pass. It runs eagerly, which takes a quarter of the time of a trace."""
    with Spy() as spy:
        strategy().run(forward)
    return spy.merges
