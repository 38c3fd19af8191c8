"""`TrainingStep`: the step of training and of evaluation that all models share."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks, counters, replicas
from tf_discrete.models import term_means
from tf_discrete.models.batches import batch_mean, batch_size, inputs_of
from tf_discrete.models.worker_steps import WorkerSteps
from tf_discrete.schedules import ScheduledVariable, scheduled_values
from tf_discrete.types import (
    Batch,
    Config,
    Encoded,
    Inputs,
    Logs,
    MaskedTerm,
    ObjectiveTerms,
    Seed,
    Tensor,
    Terms,
)


class TrainingStep(WorkerSteps):
    """A Keras model that minimises its objective and reports the terms of it, see `DiscreteModel`.

    Samples are functions of (seed, micro-step, replica, purpose), so a restarted run repeats them.
    Schedules follow `optimizer.iterations`.

    Args:
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path and the gradient norm are evaluated.
            Default: 10.
    """

    def __init__(self, seed: int = 0, monitor_every: int = 10, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = checks.seed("seed", seed)
        self.monitor_every = checks.whole("monitor_every", monitor_every, 1, checks.INT64_MAX)
        self.micro_step = counters.add(self, "micro_step", aggregation="only_first_replica")
        self.evaluation_step = counters.add(
            self, "evaluation_step", aggregation="only_first_replica"
        )
        self.nonfinite_step = counters.add(self, "nonfinite_step", aggregation="only_first_replica")

    def unpack_batch(self, data: Batch) -> Inputs:
        """Unpacks a batch from `fit` into the inputs of `objective` and `hard_terms`: a tensor or a tuple."""
        return inputs_of(data)

    def objective(self, x: Inputs, seed: Seed, training: bool) -> ObjectiveTerms:
        """Computes the training objective of each example of a batch, in nats."""
        raise NotImplementedError

    def hard_terms(self, x: Inputs, seed: Seed, encoded: Encoded = None) -> dict[str, Tensor]:
        """Returns the objective with discrete latents: named [B] terms, "hard_elbo_nats" among them.

        Args:
            x: what `objective` takes.
            seed: int32 [2].
            encoded: `encoded` of the terms that `objective` returned for the same x, which spares a run of
                the encoder. Default: None, the encoder is run.
        """
        raise NotImplementedError

    def track_metrics(
        self,
        terms: tuple[str, ...],
        hard_terms: tuple[str, ...],
        training_terms: tuple[str, ...] = (),
    ) -> None:
        """Makes one `keras.metrics.Mean` for each term that is logged.

        Args:
            terms: Names of the objective's terms, without the loss.
            hard_terms: Names of the terms of the discrete path.
            training_terms: Names of the objective's terms that only training has.
        """
        self._terms = ("loss", *terms)
        self._hard_terms = hard_terms
        self._training_terms = training_terms
        self._means = {
            name: keras.metrics.Mean(name=name)
            for name in (*self._terms, *training_terms, *hard_terms, "gradient_norm")
        }

    @property
    def scheduled(self) -> dict[str, ScheduledVariable]:
        """Returns the scheduled values of the model and its estimators: temperature, temperature_2, ..."""
        named: dict[str, ScheduledVariable] = {}
        for value in scheduled_values(self):
            same = sum(other.name == value.name for other in named.values())
            named[f"{value.name}_{same + 1}" if same else value.name] = value
        return named

    def step_seed(self, counter: Tensor, purpose: str) -> Seed:
        """Returns the seed of a step for one purpose, different on every replica."""
        return seeds.fold(seeds.base(self.seed), purpose, counter, seeds.replica_id())

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Batch) -> Logs:
        term_means.add(self._means, self.update(data, tf.equal(self._monitored.count, 0)))
        return self._logs(training=True)

    def update(self, data: Batch, unseen: Tensor) -> term_means.Sums:
        """Trains on one batch: a training step without its metrics.

        Args:
            data: a batch from `fit`.
            unseen: Bool scalar, whether the discrete path has not been evaluated yet in this epoch.

        Returns:
            sums: What the step adds to the mean of each term.
        """
        x = self._unweighted(data)
        step = tf.convert_to_tensor(self.optimizer.iterations)
        counter = tf.convert_to_tensor(self.micro_step)
        for value in self.scheduled.values():
            value.update(step)
        with replicas.synchronized(), tf.GradientTape() as tape:
            terms = self.objective(x, self.step_seed(counter, "train"), training=True)
            loss = batch_mean(terms.loss) + batch_mean(terms.auxiliary)
            if self.losses:
                loss += tf.add_n([tf.cast(extra, loss.dtype) for extra in self.losses])
            loss /= tf.distribute.get_strategy().num_replicas_in_sync
            scaled_loss = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled_loss, [v.value for v in variables])
        reported = (*self._terms, *self._training_terms)
        sums = self._sums({"loss": terms.loss, **terms.terms}, reported)
        due = tf.equal(step % self.monitor_every, 0) | unseen
        sums |= self._monitor(x, counter, due, terms.encoded, gradients)
        self.optimizer.apply(gradients, variables)
        replicas.synchronize(self)
        self.micro_step.assign_add(1)
        self._note_nonfinite(loss, counter)
        return sums

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Batch) -> Logs:
        terms = self.evaluation_terms(data, tf.convert_to_tensor(self.evaluation_step))
        term_means.add(self._means, self._sums(terms, tuple(terms)))
        self.evaluation_step.assign_add(1)
        return self._logs(training=False)

    def evaluation_terms(self, data: Batch, number: Tensor) -> Terms:
        """Computes the terms whose means `evaluate` returns, for each example of a batch.

        Args:
            data: A batch from `fit`.
            number: int64 scalar, the number of the batch in the evaluation, from 0.

        Returns:
            terms: Named float [B], in nats; `MaskedTerm` where not every example has the term.
        """
        x = self._unweighted(data)
        terms = self.objective(x, self.step_seed(number, "evaluate"), training=False)
        hard = self.hard_terms(x, self.step_seed(number, "evaluate_hard"), terms.encoded)
        found = {"loss": terms.loss, **terms.terms, **hard}
        return {name: found[name] for name in (*self._terms, *self._hard_terms)}

    def reset_metrics(self) -> None:
        """Also restarts the seeds of evaluation, so that two evaluations give the same numbers."""
        super().reset_metrics()
        self.evaluation_step.assign(0)

    def get_config(self) -> Config:
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "seed": self.seed,
            "monitor_every": self.monitor_every,
        }

    def _unweighted(self, data: Batch) -> Inputs:
        """Returns the observations of a batch in which every example counts the same."""
        _, _, weight = keras.utils.unpack_x_y_sample_weight(data)
        if weight is not None:
            raise ValueError(
                "Bounds and their metrics are means over examples that count the same. Leave "
                "sample_weight and class_weight out, or repeat examples. "
                f"Received: sample_weight.shape={tuple(weight.shape)}"
            )
        return self.unpack_batch(data)

    @property
    def _monitored(self) -> keras.metrics.Mean:
        """Returns the mean that tells whether the discrete path has been evaluated in this epoch."""
        return self._means[self._hard_terms[0]]

    def _monitor(
        self,
        x: Inputs,
        counter: Tensor,
        due: Tensor,
        encoded: Encoded,
        gradients: list[Tensor | None],
    ) -> term_means.Sums:
        """Evaluates discrete path and gradient norm where they are due; else their sums are 0."""

        def monitor_step() -> term_means.Sums:
            hard = self.hard_terms(x, self.step_seed(counter, "train_hard"), encoded)
            norm, weight = self._gradient_norm(gradients), tf.cast(batch_size(x), tf.float32)
            if self._scales_loss():
                # The optimizer skips a step that overflows under its loss scale, and lowers the scale.
                finite = tf.math.is_finite(norm)
                norm, weight = tf.where(finite, norm, 0.0), tf.where(finite, weight, 0.0)
            terms = {**hard, "gradient_norm": MaskedTerm(norm, weight)}
            return self._sums(terms, names)

        def skip() -> term_means.Sums:
            zero = tf.zeros([], self._monitored.dtype)
            return {name: (zero, zero) for name in names}

        names = (*self._hard_terms, "gradient_norm")
        return tf.cond(due, monitor_step, skip)

    def _gradient_norm(self, gradients: list[Tensor | None]) -> tf.Tensor:
        """Returns the norm over all weights of the gradient of this replica's mean loss, float32 scalar."""
        summed = [tf.cast(_row_sums(g), tf.float32) for g in gradients if g is not None]
        norm = tf.linalg.global_norm(summed)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return norm * replicas / tf.cast(self.optimizer.scale_loss(tf.ones([])), tf.float32)

    def _scales_loss(self) -> bool:
        return isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)

    def _note_nonfinite(self, loss: Tensor, counter: Tensor) -> None:
        """Remembers the number of the first step whose loss is not finite; 0 if there is none."""
        first = tf.convert_to_tensor(self.nonfinite_step)
        bad = ~tf.math.is_finite(loss) & tf.equal(first, 0)
        self.nonfinite_step.assign(tf.where(bad, counter + 1, first))

    def _sums(self, terms: Terms, names: tuple[str, ...]) -> term_means.Sums:
        return {name: term_means.summed(terms[name], self._means[name].dtype) for name in names}

    def _logs(self, training: bool) -> Logs:
        names = [*self._terms, *(self._training_terms if training else ()), *self._hard_terms]
        names += ["gradient_norm"] if training else []
        logs = term_means.results({name: self._means[name] for name in names})
        if training:
            logs.update({name: scheduled.value for name, scheduled in self.scheduled.items()})
        return logs


def _row_sums(gradient: Tensor) -> tf.Tensor:
    """Returns a gradient; of a sparse one the sums of the slices of each row, and zeros for the others.

    By sorting, as XLA needs to know how many there are.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    order = tf.argsort(gradient.indices)
    indices = tf.gather(gradient.indices, order)
    starts = tf.cast(indices[1:] != indices[:-1], tf.int32)
    row = tf.concat([tf.zeros_like(order[:1]), tf.cumsum(starts)], axis=0)
    return tf.math.unsorted_segment_sum(tf.gather(gradient.values, order), row, tf.size(order))
