"""`CompiledLoop`: many training steps in one compiled function, on data that stay in memory."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import fusion
from tf_discrete.datasets.indexed_batches import Block, IndexedBatches, Indices
from tf_discrete.models import term_means
from tf_discrete.models.training_step import TrainingStep
from tf_discrete.types import Batch, Logs, Tensor

if TYPE_CHECKING:
    from tf_discrete.models.base import DiscreteModel

REFUSED_BY_XLA = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)
"""Errors of a first call that XLA does not compile."""


class CompiledLoop:
    """The train function of Keras' `fit` for `IndexedBatches`: a block of steps in one `tf.while_loop`.

    The function is given the indices of `steps_per_execution` batches. It gathers the data, takes the steps
    of `DiscreteModel.update` and adds up the means of all terms; Keras' metrics are written once, at
    its end. The numbers are those of `train_step` on the same batches, up to rounding. With
    `jit_compile=True` XLA compiles the loop as a whole, and the noise is that of `seeds.compiled_by_xla`.

    Args:
        model: compiled and built.
        batches: in memory.
    """

    def __init__(self, model: DiscreteModel, batches: IndexedBatches):
        self.model, self.batches = model, batches
        self.uses_xla = bool(model.jit_compile)
        self._begun = False
        self._steps = self._make()

    def trace(self) -> None:
        """Traces the function; raises what a step raises that cannot be a part of it."""
        spec = self.batches.blocks(self.model.steps_per_execution).element_spec
        self._steps.get_concrete_function(spec.indices, spec.steps)

    def __call__(self, blocks: Iterator[Block]) -> Logs:
        """Trains on the next block and returns the logs of its last step."""
        block = next(blocks)
        steps, logs = int(block.steps), {}
        if steps:
            logs = self._run(block.indices, block.steps)
        if block.has_rest:
            rest = keras.tree.map_structure(lambda indices: indices[tf.newaxis], block.rest)
            logs = self._run(rest, tf.constant(1))
        return logs

    def _run(self, indices: Indices, steps: Tensor) -> Logs:
        try:
            logs = self._steps(indices, steps)
        except REFUSED_BY_XLA as error:
            if self._begun or not self.uses_xla:
                raise
            reason = str(error).strip().splitlines()[0]
            warnings.warn(f"The loop runs without XLA, which refuses it: {reason}", stacklevel=2)
            self.uses_xla = False
            self._steps = self._make()
            logs = self._steps(indices, steps)
        self._begun = True
        return logs

    def _make(self) -> tf.types.experimental.PolymorphicFunction:
        """Returns a function that trains on the first n batches of a block, given their indices and n."""
        read = self.batches.read
        if not (self.uses_xla and self.batches.samples):
            return tf.function(
                lambda indices, steps: self._loop(indices, steps, read),
                autograph=False,
                jit_compile=self.uses_xla,
            )
        loop = tf.function(
            lambda batches, steps: self._loop(batches, steps, lambda batch: batch),
            autograph=False,
            jit_compile=True,
        )

        def steps_on_read_batches(indices: Indices, steps: Tensor) -> Logs:
            one = keras.tree.map_structure(lambda all_of_them: all_of_them[0], indices)
            signature = keras.tree.map_structure(
                lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), read(one)
            )
            return loop(tf.map_fn(read, indices, fn_output_signature=signature), steps)

        return tf.function(steps_on_read_batches, autograph=False)

    def _loop(self, block: Indices | Batch, steps: Tensor, read: Callable[..., Batch]) -> Logs:
        """Takes a step on what `read` returns for each of the first elements of a block."""
        model = self.model
        means = model._means

        def body(
            number: tf.Tensor, totals: tf.Tensor, counts: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            one = keras.tree.map_structure(lambda tensor: tf.gather(tensor, number), block)
            unseen = tf.equal(counts[monitored], 0)
            with seeds.compiled_by_xla() if self.uses_xla else fusion.enabled_in_training():
                sums = model.update(read(one), unseen)
            return (number + 1, *term_means.added(means, totals, counts, sums))

        monitored = list(means).index(model._monitored.name)
        start = (tf.constant(0), *term_means.stack(means))
        _, totals, counts = tf.while_loop(
            lambda number, *_: number < steps, body, start, parallel_iterations=1
        )
        term_means.assign(means, totals, counts)
        return model._logs(training=True)


def why_not(model: DiscreteModel, batches: IndexedBatches) -> str | None:
    """Returns why `fit` cannot run the compiled loop, as a sentence; None if it can."""
    strategy = model.distribute_strategy
    owner = next(cls for cls in type(model).__mro__ if "train_step" in vars(cls))
    if owner is not TrainingStep:
        return f"{owner.__name__} has a train_step of its own."
    if not batches.in_memory:
        return "The data are too large to stay in memory."
    if tf.distribute.has_strategy() or strategy is not tf.distribute.get_strategy():
        return f"The model was made for several devices, by a {type(strategy).__name__}."
    if model.run_eagerly:
        return "The model was compiled with run_eagerly=True."
    return None


def get(model: DiscreteModel, batches: IndexedBatches) -> CompiledLoop | None:
    """Returns the loop of a model over batches, traced; None if there can be none, and a warning says why."""
    known = model._loop
    if known is not None and known.batches is batches:
        return known
    reason = why_not(model, batches)
    if reason is None:
        loop = CompiledLoop(model, batches)
        try:
            loop.trace()
        except Exception as error:  # Whatever a step raises; if it is wrong, `fit` raises it again.
            reason = f"Its step cannot be traced in a loop: {error}"
        else:
            return loop
    warnings.warn(
        f"{type(model).__name__}.fit streams the batches step by step, without the compiled loop. {reason}",
        stacklevel=4,
    )
    return None


@contextlib.contextmanager
def installed(model: DiscreteModel, batches: IndexedBatches) -> Iterator[tf.data.Dataset]:
    """Makes the loop the train function of a model for a while, and gives the data for Keras' `fit`.

    Where there can be no loop, the train function is Keras', and the data are the batches one by one.
    """
    before, size = model.train_function, model.steps_per_execution
    model._loop = get(model, batches)
    if model._loop is None:
        data = batches.stream()
        # Keras would run the last execution of an epoch in full, into the data of the next epoch.
        divisors = (n for n in range(1, size + 1) if batches.steps_per_epoch % n == 0)
        model.steps_per_execution = max(divisors)
        model.train_function = model.test_function = None
    else:
        data = batches.blocks(size)
        model.train_function = model._loop
    try:
        yield data
    finally:
        if model.steps_per_execution != size:
            model.steps_per_execution, model.test_function = size, None
        model.train_function = before
