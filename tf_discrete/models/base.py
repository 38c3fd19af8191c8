"""`DiscreteModel`: the training and the evaluation step that all models share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import evaluation, seeds
from tf_discrete._internal import checks, replicas
from tf_discrete.datasets import IndexedBatches
from tf_discrete.export import saved_model
from tf_discrete.export.signature import Signature
from tf_discrete.models import compiled_loop, term_means
from tf_discrete.schedules import ScheduledVariable, scheduled_values
from tf_discrete.types import (
    Batch,
    Config,
    DataLike,
    Encoded,
    Inputs,
    JsonObject,
    Logs,
    MaskedTerm,
    ObjectiveTerms,
    Seed,
    SeedLike,
    Shape,
    Tensor,
    Terms,
)

MAX_ROWS = 10_000
MAX_VALUES = 2**25
"""Maximum number of likelihood parameters that an evaluation holds at once; 128 MiB in float32."""
_ROWS_CHECKED = 10_000
"""Rows of an array that are checked at a time: a copy of the whole array may not fit into memory."""


class DiscreteModel(keras.Model):
    """A Keras model with discrete latents, trained by plain `compile(optimizer)` and `fit`.

    A subclass supplies `objective` and `hard_terms`, both per example, and calls `track` with the names
    of the terms. The model reports every term of the objective, and the same terms on the discrete path,
    where the latents are discrete samples, as they are when the model is used.

    Samples are functions of (seed, micro-step, replica, purpose), so a restarted run repeats them.
    Schedules follow `optimizer.iterations`.

    Args:
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path and the gradient norm are evaluated.
            The first step of an epoch and every batch of an evaluation always are. It takes one more
            pass of the decoder and of the maps between stochastic layers. The encoder is not run again,
            unless a layer of it may differ in training (dropout, batch norm, centering, noisy views):
            the discrete path of a training step then runs it as at inference. Default: 10.
    """

    def __init__(self, seed: int = 0, monitor_every: int = 10, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = checks.seed("seed", seed)
        self.monitor_every = checks.whole("monitor_every", monitor_every, 1, checks.INT64_MAX)
        self.micro_step = self._counter("micro_step")
        self.evaluation_step = self._counter("evaluation_step")
        self.nonfinite_step = self._counter("nonfinite_step")
        self._loop: compiled_loop.CompiledLoop | None = None

    @property
    def _wide(self) -> tf.DType:
        """The dtype of all distributions and likelihoods of the model, whatever networks it is given."""
        return tf.float64 if self.variable_dtype == "float64" else tf.float32

    def observations(self, data: Batch) -> Inputs:
        """Unpacks a batch from `fit` into the inputs of `objective` and `hard_terms`: a tensor or a tuple."""
        return inputs_of(data)

    def check_observations(self, x: Inputs) -> Inputs:
        """Returns observations as tensors, if the model can score them.

        Every public method that reads observations calls it first: a subclass checks their shape, dtype and
        range.

        Args:
            x: what `objective`, `hard_terms` and `log_weights` take.

        Raises:
            ValueError: observations of another shape or outside the likelihood's support;
                tf.errors.InvalidArgumentError where only the graph's run shows it.
        """
        return keras.tree.map_structure(tf.convert_to_tensor, x)

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

    def log_weights(self, x: Inputs, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Computes log w in nats for S discrete samples, [S, B]; E[w] is the likelihood of x."""
        raise NotImplementedError

    def log_likelihood(
        self,
        x: Inputs,
        num_samples: int | Tensor = 1,
        seed: SeedLike = 0,
        chunk: int | None = None,
    ) -> tf.Tensor:
        """Computes the importance-weighted bound of log p(x) in nats, log mean_s w_s, [B].

        Args:
            x: Observations as `log_weights` takes them, float [B, *data_shape].
            num_samples: Int m >= 1; more samples give a tighter bound, 1 an estimate of the ELBO. Default: 1.
            seed: Int or int32 [2]. Default: 0.
            chunk: Int, number of samples that are folded into the batch at once, which limits the memory.
                Default: up to 100, fewer for a large batch, see `max_decoder_rows`.

        Raises:
            ValueError: See `check_observations`, or `num_samples` is below 1.

        Reference:
            Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2015. arXiv:1509.00519.
        """
        x, seed = self.check_observations(x), seeds.convert(seed)
        if chunk is None:
            chunk = evaluation.samples_at_once(x, self.max_decoder_rows())
        return evaluation.importance_weighted_bound(self.log_weights, x, num_samples, seed, chunk)

    def signatures(self) -> dict[str, Signature]:
        """Returns the serving signatures by name; the first one is the default. See `tf_discrete.export`."""
        raise NotImplementedError

    def manifest_entries(self) -> JsonObject:
        """Returns the manifest entries of the model: its class, shapes, latents and temperature."""
        temperatures = [
            float(value.value) for value in scheduled_values(self) if value.name == "temperature"
        ]
        return {
            "model": keras.saving.get_registered_name(type(self)),
            "temperature": temperatures
            if len(temperatures) > 1
            else next(iter(temperatures), None),
        }

    def max_decoder_rows(self) -> int:
        """Returns how many decoder rows, samples times examples, an evaluation may hold in memory."""
        return max(1, min(MAX_ROWS, MAX_VALUES // self.values_per_row()))

    def values_per_row(self) -> int:
        """Returns the number of decoder outputs per row, which are parameters of the likelihood."""
        return 1

    def track(
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

    def build(self, input_shape: Shape) -> None:
        """Does nothing: the constructor creates all weights."""

    def get_build_config(self) -> None:
        return None

    @property
    def _default_save_signature(self) -> None:
        """None: Keras would trace `call` into every SavedModel; `export` writes the model's signatures."""

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Shape and dtype of what `call` returns, by a trace: it refuses what the model cannot score."""
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "rmsprop",
        loss: object = None,
        loss_weights: object = None,
        metrics: object = None,
        weighted_metrics: object = None,
        **kwargs: Any,
    ) -> None:
        """Compiles as `keras.Model.compile`, with the objective and the metrics of the model.

        Args:
            optimizer: Keras optimizer, or its name. Default: "rmsprop".
            loss: must be None, and so must the three that follow: there is nothing that could be honoured.
            loss_weights: must be None.
            metrics: must be None.
            weighted_metrics: must be None.
            **kwargs: `run_eagerly`, `steps_per_execution`, `jit_compile`, `auto_scale_loss` of Keras.

        Raises:
            ValueError: one of the arguments that must be None is not.

        Example:
            >>> from tf_discrete.models import CategoricalVAE
            >>> model = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
            >>> model.compile("adam", metrics=["mse"])
            Traceback (most recent call last):
            ...
            ValueError: A CategoricalVAE trains its own objective and reports its own metrics. Leave metrics \
out; score what the model returns yourself, or write a callback. Received: metrics=['mse']
        """
        remedies = {
            "loss": "choose the objective and the likelihood in the constructor, or call add_loss",
            "loss_weights": "weights of terms are arguments of the constructor",
            "metrics": "score what the model returns yourself, or write a callback",
            "weighted_metrics": "examples count the same",
        }
        given = (loss, loss_weights, metrics, weighted_metrics)
        for (name, remedy), value in zip(remedies.items(), given, strict=True):
            if value is not None:
                raise ValueError(
                    f"A {type(self).__name__} trains its own objective and reports its own metrics. Leave "
                    f"{name} out; {remedy}. Received: {name}={checks.shown(value)}"
                )
        super().compile(optimizer, **kwargs)
        self._loop = None

    def compile_from_config(self, config: Config) -> None:
        """Compiles a model that was loaded from a file as it was compiled before."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self._build_optimizer()

    def fit(
        self, x: DataLike | None = None, y: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Trains as `keras.Model.fit`; arrays are checked as a whole before the first step.

        `IndexedBatches` of data in memory are trained on in the compiled loop: blocks of
        `steps_per_execution` steps, see `CompiledLoop`.

        Raises:
            ValueError: arrays that the model cannot score, see `check_observations`. Batches of a data set
                are checked as they come, by tf.errors.InvalidArgumentError; where XLA compiles the step,
                their loss is NaN.
        """
        if isinstance(x, IndexedBatches):
            return self._fit_in_blocks(x, y, *args, **kwargs)
        self.check_arrays(x, y)
        self._build_optimizer()
        return super().fit(x, y, *args, **kwargs)

    def _fit_in_blocks(
        self,
        batches: IndexedBatches,
        y: None,
        *args: Any,
        steps_per_epoch: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """`fit` in the compiled loop."""
        steps = batches.steps_per_epoch
        if y is not None or steps_per_epoch not in (None, steps):
            raise ValueError(
                f"IndexedBatches hold the labels, and their epochs have {steps} steps. Leave y and "
                f"steps_per_epoch out. Received: y={checks.shown(y)}, steps_per_epoch={steps_per_epoch}"
            )
        self._build_optimizer()
        options = {**kwargs, "steps_per_epoch": steps, "shuffle": False}
        with compiled_loop.installed(self, batches) as data:
            return super().fit(data, None, *args, **options)

    def evaluate(
        self, x: DataLike | None = None, y: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Evaluates as `keras.Model.evaluate`; data are checked as by `fit`."""
        self.check_arrays(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    def check_arrays(self, x: DataLike | None, y: Tensor | None = None) -> None:
        """Checks arrays in memory before `fit` trains on them; other data are checked in each step.

        Raises:
            ValueError: see `check_observations`.
        """
        arrays = [leaf for leaf in keras.tree.flatten((x, y)) if leaf is not None]
        if not arrays or not all(_in_memory(array) for array in arrays):
            return
        for start in range(0, len(arrays[0]), _ROWS_CHECKED):
            part = [
                None if leaf is None else keras.tree.map_structure(_rows_from(start), leaf)
                for leaf in (x, y)
            ]
            self.check_batch(part[0] if y is None else tuple(part))

    def check_batch(self, data: Batch) -> None:
        """Checks a batch from `fit` before a step trains on it.

        Raises:
            ValueError: see `check_observations`.
        """
        self.check_observations(self.observations(data))

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: object = None,
        **options: Any,
    ) -> None:
        """Writes a SavedModel with the model's `signatures` and a manifest, by `tf_discrete.export.save`.

        Args:
            filepath: Path of the folder; it is written atomically.
            format: "tf_saved_model"; see `tf_discrete.export.save_tflite` for TFLite.
            verbose: Bool, whether the path and the signatures are printed. Default: None, for no.
            input_signature: must not be set, for the model's own are exported.
            **options: of `tf_discrete.export.save`: preprocessing, metadata and overwrite.

        Raises:
            ValueError: another format, or an input_signature.
            FileExistsError: the path is in use already, and overwrite is False.

        Example:
            >>> import tempfile
            >>> from tf_discrete.models import CategoricalVAE
            >>> model = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
            >>> model.export(tempfile.mkdtemp(), verbose=True)   # doctest: +ELLIPSIS
            /... answers encode, encode_probs, decode, reconstruct, sample, log_likelihood
        """
        if format != "tf_saved_model" or input_signature is not None:
            raise ValueError(
                "The model exports its own signatures as a SavedModel. Leave format and input_signature out, "
                "or write a TFLite file by tf_discrete.export.save_tflite(model, path). "
                f"Received: format={format!r}, input_signature={input_signature!r}"
            )
        manifest = saved_model.save(self, filepath, **options)
        if verbose:
            print(f"{filepath} answers {', '.join(manifest.signatures)}")

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
        x = self._unweighted(data)
        counter = tf.convert_to_tensor(self.evaluation_step)
        terms = self.objective(x, self.step_seed(counter, "evaluate"), training=False)
        sums = self._sums({"loss": terms.loss, **terms.terms}, self._terms)
        hard = self.hard_terms(x, self.step_seed(counter, "evaluate_hard"), terms.encoded)
        term_means.add(self._means, sums | self._sums(hard, self._hard_terms))
        self.evaluation_step.assign_add(1)
        return self._logs(training=False)

    def reset_metrics(self) -> None:
        """Also restarts the seeds of evaluation, so that two evaluations give the same numbers."""
        super().reset_metrics()
        self.evaluation_step.assign(0)

    def get_config(self) -> Config:
        return {"name": self.name, "seed": self.seed, "monitor_every": self.monitor_every}

    def _build_optimizer(self) -> None:
        """Creates the optimizer's variables: a step that had to create them would be traced twice."""
        optimizer = getattr(self, "optimizer", None)
        built = all(layer.built for layer in self._flatten_layers(include_self=False))
        if optimizer is None or optimizer.built or not built:
            return
        with self.distribute_strategy.scope():
            optimizer.build(self.trainable_variables)

    def _unweighted(self, data: Batch) -> Inputs:
        """Returns the observations of a batch in which every example counts the same."""
        _, _, weight = keras.utils.unpack_x_y_sample_weight(data)
        if weight is not None:
            raise ValueError(
                "Bounds and their metrics are means over examples that count the same. Leave "
                "sample_weight and class_weight out, or repeat examples. "
                f"Received: sample_weight.shape={tuple(weight.shape)}"
            )
        return self.observations(data)

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

        def evaluate() -> term_means.Sums:
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
        return tf.cond(due, evaluate, skip)

    def _gradient_norm(self, gradients: list[Tensor | None]) -> tf.Tensor:
        """Returns the norm over all weights of the gradient of this replica's mean loss, float32 scalar."""
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

    def _sums(self, terms: Terms, names: tuple[str, ...]) -> term_means.Sums:
        return {name: term_means.summed(terms[name], self._means[name].dtype) for name in names}

    def _logs(self, training: bool) -> Logs:
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


def inputs_of(data: Batch) -> tf.Tensor:
    """Returns the observations of a batch from `fit`: a tensor, a dict with `image`, or (x, y)."""
    x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(x, dict):
        if "image" not in x:
            raise ValueError(
                "A batch that is a dict must hold the observations under 'image'. "
                f"Received: keys={sorted(x)}"
            )
        return x["image"]
    return x


def _in_memory(data: Tensor) -> bool:
    """Returns whether data is an array whose values are known."""
    known = isinstance(data, np.ndarray) or (tf.is_tensor(data) and hasattr(data, "numpy"))
    return known and len(data.shape) > 0


def _rows_from(start: int) -> Callable[[Tensor], Tensor]:
    return lambda array: array[start : start + _ROWS_CHECKED]


def batch_size(x: Inputs) -> tf.Tensor:
    """Returns the number of examples in a batch of tensors, int32 scalar."""
    return tf.shape(keras.tree.flatten(x)[0])[0]


def batch_axis(input_shape: Any) -> int | None:
    """Returns the size of the batch axis, given the shape or the shapes of inputs."""
    while isinstance(input_shape, dict) or not isinstance(input_shape[0], (int, type(None))):
        several = isinstance(input_shape, dict)
        input_shape = next(iter(input_shape.values())) if several else input_shape[0]
    return input_shape[0]


def batch_mean(values: Tensor) -> tf.Tensor:
    """Computes the mean over a batch; 0 for an empty one."""
    return tf.math.divide_no_nan(tf.reduce_sum(values), tf.cast(tf.size(values), values.dtype))


def _multi_worker() -> bool:
    strategy = tf.distribute.get_strategy()
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
