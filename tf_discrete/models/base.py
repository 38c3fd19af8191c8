"""`DiscreteModel`: the training and the evaluation step that all models share."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import evaluation, replicas, seeds
from tf_discrete.export.signature import Signature
from tf_discrete.schedules import Scheduled, scheduled_values
from tf_discrete.types import ObjectiveTerms, Seed, Tensor, Weighted

MAX_ROWS = 10_000
MAX_VALUES = 2**25
"""Of the likelihood's parameters that an evaluation holds at once; 128 MiB in float32."""


class DiscreteModel(keras.Model):
    """A Keras model with discrete latents, trained by plain `compile(optimizer)` and `fit`.

    A subclass supplies `objective` and `hard_terms`, both per example, and calls `track` with the names
    of the terms. What it reports: every term of the objective, and the same on the hard path, where the
    latents are discrete draws: that is what the model scores when it is used.

    Draws are functions of (seed, micro-step, replica, purpose), so a restarted run repeats them.
    Schedules follow `optimizer.iterations`.

    Args:
        seed: base seed of all draws. Default: 0.
        monitor_every: training steps between two looks at the hard path and the gradient norm; they
            cost a pass of the decoder. The first step of an epoch is always looked at, and every batch
            of an evaluation. Default: 10.
    """

    def __init__(self, seed: int = 0, monitor_every: int = 10, **kwargs: Any):
        super().__init__(**kwargs)
        if monitor_every < 1:
            raise ValueError(
                f"monitor_every must be at least 1 step. Received: monitor_every={monitor_every!r}"
            )
        self.seed = int(seed)
        self.monitor_every = int(monitor_every)
        self.micro_step = self._counter("micro_step")
        self.evaluation_step = self._counter("evaluation_step")
        self.nonfinite_step = self._counter("nonfinite_step")

    def observations(self, data: Any) -> Any:
        """What `objective` and `hard_terms` read of what `fit` hands over: a tensor, or a tuple."""
        return inputs_of(data)

    def objective(self, x: Any, seed: Seed, training: bool) -> ObjectiveTerms:
        """The training objective of each example of a batch, in nats."""
        raise NotImplementedError

    def hard_terms(self, x: Any, seed: Seed) -> dict[str, Tensor]:
        """The objective with discrete latents: named [B] terms, "hard_elbo_nats" among them."""
        raise NotImplementedError

    def log_weights(self, x: Any, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """log w in nats for S discrete draws, [S, B]; the mean of w is the likelihood of x."""
        raise NotImplementedError

    def log_likelihood(
        self,
        x: Any,
        num_samples: int | Tensor = 1,
        seed: int | Seed = 0,
        chunk: int | None = None,
    ) -> tf.Tensor:
        """The multi-sample lower bound of the log-likelihood of `x` in nats, log mean_s w_s, [B].

        Args:
            x: what `log_weights` takes: observations, float [B, *data_shape].
            num_samples: m; the bound tightens with it. 1 gives an estimate of the ELBO. Default: 1.
            seed: int or int32 [2]. Default: 0.
            chunk: samples that are folded into the batch at once; bounds the memory. Default: up to 100,
                fewer for a large batch, see `rows_at_once`.

        Reference:
            Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2015. arXiv:1509.00519.
        """
        x, seed = keras.tree.map_structure(tf.convert_to_tensor, x), seeds.convert(seed)
        if chunk is None:
            chunk = evaluation.samples_at_once(x, self.rows_at_once())
        return evaluation.importance_weighted_bound(self.log_weights, x, num_samples, seed, chunk)

    def signatures(self) -> dict[str, Signature]:
        """What an exported model answers, by name; the first is the default. See `tf_discrete.export`."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """What the manifest of an export says of the model: its class, shapes, latents, temperature."""
        temperatures = [
            float(value.value) for value in scheduled_values(self) if value.name == "temperature"
        ]
        return {
            "model": keras.saving.get_registered_name(type(self)),
            "temperature": temperatures
            if len(temperatures) > 1
            else next(iter(temperatures), None),
        }

    def rows_at_once(self) -> int:
        """How many decoder rows, samples times examples, an evaluation may hold in memory at once."""
        return max(1, min(MAX_ROWS, MAX_VALUES // self.values_per_row()))

    def values_per_row(self) -> int:
        """Numbers that the decoder puts out for one row: parameters of the likelihood."""
        return 1

    def track(
        self,
        terms: tuple[str, ...],
        hard_terms: tuple[str, ...],
        training_terms: tuple[str, ...] = (),
    ) -> None:
        """Makes one `keras.metrics.Mean` for each term that the log shall show.

        Args:
            terms: of the objective, beside the loss.
            hard_terms: of the hard path.
            training_terms: of the objective, which only training has.
        """
        self._terms = ("loss", *terms)
        self._hard_terms = hard_terms
        self._training_terms = training_terms
        self._means = {
            name: keras.metrics.Mean(name=name)
            for name in (*self._terms, *training_terms, *hard_terms, "gradient_norm")
        }

    @property
    def scheduled(self) -> dict[str, Scheduled]:
        """The scheduled values of the model and its estimators: temperature, temperature_2, ..."""
        named: dict[str, Scheduled] = {}
        for value in scheduled_values(self):
            same = sum(other.name == value.name for other in named.values())
            named[f"{value.name}_{same + 1}" if same else value.name] = value
        return named

    def step_seed(self, counter: Tensor, purpose: str) -> Seed:
        """The seed of one step's draws for one purpose, different on every replica."""
        return seeds.fold(seeds.base(self.seed), purpose, counter, seeds.replica_id())

    def train_step(self, data: Any) -> dict[str, Any]:
        x = self._unweighted(data)
        step = tf.convert_to_tensor(self.optimizer.iterations)
        counter = tf.convert_to_tensor(self.micro_step)
        for value in self.scheduled.values():
            value.update(step)
        with tf.GradientTape() as tape:
            terms = self.objective(x, self.step_seed(counter, "train"), training=True)
            loss = batch_mean(terms.loss) + batch_mean(terms.auxiliary)
            if self.losses:
                loss += tf.add_n([tf.cast(extra, loss.dtype) for extra in self.losses])
            loss /= tf.distribute.get_strategy().num_replicas_in_sync
            scaled_loss = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled_loss, [v.value for v in variables])
        reported = (*self._terms, *self._training_terms)
        self._update_means({"loss": terms.loss, **terms.terms}, reported)
        self._monitor(x, counter, step, gradients)
        self.optimizer.apply(gradients, variables)
        replicas.synchronize(self)
        self.micro_step.assign_add(1)
        self._note_nonfinite(loss, counter)
        return self._logs(training=True)

    def test_step(self, data: Any) -> dict[str, Any]:
        x = self._unweighted(data)
        counter = tf.convert_to_tensor(self.evaluation_step)
        terms = self.objective(x, self.step_seed(counter, "evaluate"), training=False)
        self._update_means({"loss": terms.loss, **terms.terms}, self._terms)
        hard = self.hard_terms(x, self.step_seed(counter, "evaluate_hard"))
        self._update_means(hard, self._hard_terms)
        self.evaluation_step.assign_add(1)
        return self._logs(training=False)

    def reset_metrics(self) -> None:
        """Also restarts the seeds of evaluation, so that two evaluations give the same numbers."""
        super().reset_metrics()
        self.evaluation_step.assign(0)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "seed": self.seed, "monitor_every": self.monitor_every}

    def _unweighted(self, data: Any) -> Any:
        """The observations of a batch in which every example counts the same."""
        _, _, weight = keras.utils.unpack_x_y_sample_weight(data)
        if weight is not None:
            raise ValueError(
                "Bounds and their metrics are means over examples that count the same. Leave "
                "sample_weight and class_weight out, or repeat examples. "
                f"Received: sample_weight.shape={tuple(weight.shape)}"
            )
        return self.observations(data)

    def _monitor(self, x: Any, counter: Tensor, step: Tensor, gradients: list[Any]) -> None:
        """The hard path and the gradient norm, every `monitor_every` steps and first in each epoch."""

        def look() -> tf.Tensor:
            hard = self.hard_terms(x, self.step_seed(counter, "train_hard"))
            self._update_means(hard, self._hard_terms)
            norm, weight = self._gradient_norm(gradients), tf.cast(batch_size(x), tf.float32)
            if self._scales_loss():
                # The optimizer skips a step that overflows under its loss scale, and lowers the scale.
                finite = tf.math.is_finite(norm)
                norm, weight = tf.where(finite, norm, 0.0), tf.where(finite, weight, 0.0)
            self._means["gradient_norm"].update_state(norm, sample_weight=weight)
            return tf.constant(True)

        unseen = tf.equal(self._means[self._hard_terms[0]].count, 0)
        due = tf.equal(step % self.monitor_every, 0) | unseen
        tf.cond(due, look, lambda: tf.constant(False))

    def _gradient_norm(self, gradients: list[Any]) -> tf.Tensor:
        """The norm over all weights of the gradient of this replica's mean loss, float32 scalar."""
        norm = tf.linalg.global_norm([tf.cast(g, tf.float32) for g in gradients if g is not None])
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return norm * replicas / tf.cast(self.optimizer.scale_loss(tf.ones([])), tf.float32)

    def _scales_loss(self) -> bool:
        return isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)

    def _note_nonfinite(self, loss: Tensor, counter: Tensor) -> None:
        """Remembers the number of the first step whose loss is not finite; 0 if there is none."""
        first = tf.convert_to_tensor(self.nonfinite_step)
        bad = ~tf.math.is_finite(loss) & tf.equal(first, 0)
        self.nonfinite_step.assign(tf.where(bad, counter + 1, first))

    def _update_means(self, terms: dict[str, Any], names: tuple[str, ...]) -> None:
        for name in names:
            term = terms[name]
            values, weights = term if isinstance(term, Weighted) else (term, None)
            self._means[name].update_state(values, sample_weight=weights)

    def _logs(self, training: bool) -> dict[str, Any]:
        names = (*self._terms, *(self._training_terms if training else ()), *self._hard_terms)
        logs = {name: self._means[name].result() for name in names}
        if training:
            logs["gradient_norm"] = self._means["gradient_norm"].result()
            logs.update({name: scheduled.value for name, scheduled in self.scheduled.items()})
        if _multi_worker():  # Keras' fit reduces logs over workers along their first axis.
            logs = {name: tf.reshape(value, [1]) for name, value in logs.items()}
        return logs

    def _counter(self, name: str) -> keras.Variable:
        return self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            name=name,
        )


def inputs_of(data: Any) -> tf.Tensor:
    """The observations of what `fit` hands over: a tensor, a dict with `image`, or (x, y)."""
    x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    return x["image"] if isinstance(x, dict) else x


def batch_size(x: Any) -> tf.Tensor:
    """Examples in a batch of tensors, int32 scalar."""
    return tf.shape(keras.tree.flatten(x)[0])[0]


def batch_mean(values: Tensor) -> tf.Tensor:
    """The mean over a batch; 0 for an empty one."""
    return tf.math.divide_no_nan(tf.reduce_sum(values), tf.cast(tf.size(values), values.dtype))


def _multi_worker() -> bool:
    strategy = tf.distribute.get_strategy()
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
