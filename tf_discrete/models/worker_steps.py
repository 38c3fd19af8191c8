"""`WorkerSteps`: the steps of a Keras model on the workers of `MultiWorkerMirroredStrategy`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tf_discrete.types import Batch, Logs


class WorkerSteps(keras.Model):
    """A Keras model whose `fit` and `evaluate` also run on several workers.

    There its steps must return logs that are the same on every replica, see `term_means.results`, and
    metrics given to `compile`, which are not, are refused. Under other strategies the steps are those of
    Keras.
    """

    @property
    def _on_workers(self) -> bool:
        """Returns whether the model was created under `MultiWorkerMirroredStrategy`."""
        return isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def _maybe_symbolic_build(self, iterator: object = None, data_batch: object = None) -> None:
        """Builds as Keras does, but not on several workers, where Keras fails on batches that are dicts."""
        if not self._on_workers:
            super()._maybe_symbolic_build(iterator, data_batch)

    def _make_function(self, step_function: Callable[[Batch], Logs]) -> Callable[[Any], Logs]:
        """Returns Keras' function of a step; on several workers one of our own, whose logs are reduced."""
        if not self._on_workers:
            return super()._make_function(step_function)
        if self.steps_per_execution != 1 or self.jit_compile:
            raise ValueError(
                "Training on several workers takes one step per execution and no XLA. Compile the model with "
                "steps_per_execution=1 and jit_compile=False. Received: "
                f"steps_per_execution={self.steps_per_execution}, jit_compile={self.jit_compile}"
            )
        if self._compile_metrics is not None:
            raise ValueError(
                "Training on several workers reports the metrics of the model alone. Leave metrics and "
                "weighted_metrics out of compile, and score what the model returns after training. "
                f"Received: metrics={self._compile_metrics._user_metrics}, "
                f"weighted_metrics={self._compile_metrics._user_weighted_metrics}"
            )
        strategy = self.distribute_strategy

        def one_step(batches: Any) -> Logs:
            logs = strategy.run(step_function, args=(next(batches),))
            return {
                name: strategy.experimental_local_results(value)[0] for name, value in logs.items()
            }

        return one_step if self.run_eagerly else tf.function(one_step, autograph=False)
