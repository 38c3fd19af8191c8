"""`DiscreteModel`: the interface of all models, on top of the step that trains them."""

from __future__ import annotations

import os
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import evaluation, seeds
from tf_discrete._internal import checks
from tf_discrete._internal.built_by_constructor import BuiltByConstructor
from tf_discrete.datasets import IndexedBatches
from tf_discrete.export import saved_model
from tf_discrete.export.signature import Signature
from tf_discrete.models import batches, compiled_loop
from tf_discrete.models.training_step import TrainingStep
from tf_discrete.schedules import scheduled_values
from tf_discrete.types import (
    Batch,
    Config,
    DataLike,
    Inputs,
    JsonObject,
    Seed,
    SeedLike,
    Tensor,
)

MAX_ROWS = 10_000
MAX_VALUES = 2**25
"""Maximum number of likelihood parameters that an evaluation holds at once; 128 MiB in float32."""


class DiscreteModel(BuiltByConstructor, TrainingStep):
    """A Keras model with discrete latents, trained by plain `compile(optimizer)` and `fit`.

    A subclass supplies `objective` and `hard_terms`, both per example, and calls `track_metrics` with the
    names of the terms. The model reports every term of the objective, and the same terms on the discrete
    path, where the latents are discrete samples, as they are when the model is used.

    Args:
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path and the gradient norm are evaluated.
            The first step of an epoch and every batch of an evaluation always are. It takes one more
            pass of the decoder and of the maps between stochastic layers. The encoder is not run again,
            unless a layer of it may differ in training (dropout, batch norm, centering, noisy views):
            the discrete path of a training step then runs it as at inference. Default: 10.
    """

    def __init__(self, seed: int = 0, monitor_every: int = 10, **kwargs: Any):
        super().__init__(seed, monitor_every, **kwargs)
        self._loop: compiled_loop.CompiledLoop | None = None

    @property
    def _wide(self) -> tf.DType:
        """The dtype of all distributions and likelihoods of the model, whatever networks it is given."""
        return tf.float64 if self.variable_dtype == "float64" else tf.float32

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
        for part in batches.slices(x, y):
            self.check_batch(part)

    def check_batch(self, data: Batch) -> None:
        """Checks a batch from `fit` before a step trains on it.

        Raises:
            ValueError: see `check_observations`.
        """
        self.check_observations(self.unpack_batch(data))

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

    def _build_optimizer(self) -> None:
        """Creates the optimizer's variables: a step that had to create them would be traced twice."""
        optimizer = getattr(self, "optimizer", None)
        built = all(layer.built for layer in self._flatten_layers(include_self=False))
        if optimizer is None or optimizer.built or not built:
            return
        with self.distribute_strategy.scope():
            optimizer.build(self.trainable_variables)
