"""`StochasticLayer`: discrete latent variables in any Keras model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import seeds, types
from tf_discrete._internal import arguments, checks, counters
from tf_discrete.distributions import Discrete
from tf_discrete.layers import passes, positions
from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.schedules import scheduled_values
from tf_discrete.types import Config, EstimatorLike, ScheduleLike, Seed, SeedLike, Shape, Tensor

INFERENCE = ("mode", "draw", "mean")


@keras.saving.register_keras_serializable("tf_discrete.layers")
class StochasticLayer(keras.layers.Layer):
    """Turns logits into discrete values, with a gradient by any pathwise estimator.

    During training it returns a reparameterised sample, relaxed or one-hot depending on the estimator. At
    inference it returns the most probable value, a sample, or the probabilities. Noise, softmax and KL are
    computed in at least float32 under every dtype policy; the result is cast to the compute dtype.

    The layer counts the training passes of its model. Several calls in one pass count once. The count
    drives the schedules of temperature and KL weight and is folded into the seed of each pass. It is saved
    with the model, so a restarted run continues from it. A second count is used for `inference="draw"`.
    Every replica of a distributed model has its own counts, so the forward pass needs no communication.

    Apply the layer to [batch, time, ..., N, K] directly. `keras.layers.TimeDistributed` gives the same
    values if the number of time steps is fixed; otherwise the layer raises an error. In the cell of a
    `keras.layers.RNN` it samples anew at every time step, and `kl_weight` must be None.

    With `kl_weight` the layer adds weight * KL(q(z | inputs) || p(z)) to the loss of the model: the exact
    discrete KL in nats, summed over the variables and all axes between batch and variables, averaged over
    the batch. Timesteps that a Keras mask excludes do not count. If the layer is called several times in
    one pass, the KLs are added. The metric "<layer name>_kl_nats" reports the unweighted KL. Keras' own
    losses average over the outputs, which makes the KL hundreds of times too heavy: use
    `tf_discrete.losses.NegativeLogLikelihood`.

    Args:
        estimator: Name, object, class or config of an estimator, see
            `tf_discrete.estimators.names("pathwise")`. Default: "gumbel_softmax".
        temperature: Positive float or schedule, for an estimator given by name. Default: that of the
            estimator.
        latents: Kind of latents, see `tf_discrete.distributions.names()`. Default: "categorical".
        inference: Output at inference: "mode" (the most probable value), "draw" (a one-hot sample) or
            "mean" (the probabilities). Default: "mode".
        kl_weight: Float >= 0 or schedule, weight of the KL in the loss; None for no KL. Default: None.
        prior: Prior p(z) of the KL, "uniform" or "learned"; the attribute `prior` of a layer with a KL is the
            `tf_discrete.IndependentPrior`, once the layer is built. Default: "uniform".
        seed: Int, base seed. None for a random one (set by `keras.utils.set_random_seed`). The name of the
            layer is folded into the seed, so the layers of a model share no noise; to build the same layer
            twice in one process, set `name` too. The config has the seed and the name, so a copy made by
            `from_config` or `keras.models.clone_model` samples the same noise as the original;
            `tf_discrete.seeds.clone_with_new_seed` makes a copy with other noise. Default: None.

    Call arguments:
        inputs: Logits, float [batch, ..., N, K], -inf where masked; [batch, ..., N] for Bernoulli latents,
            [batch, ..., N * D, r] for trees.
        training: Bool, whether to return a training sample. Default: False.
        seed: Int or int32 [2], seed of this call, in training or with `inference="draw"`. The same seed
            gives the same sample, under XLA another than without. Default: None, a new seed in every call.

    Output shape:
        The shape of the input for categorical and Bernoulli latents and for trees; [batch, ...,
        *value_shape] in general.

    Raises:
        ValueError: The estimator is not pathwise, an argument is out of range, or logits have a wrong rank.

    Example:
        >>> from tf_discrete import layers, losses, schedules
        >>> model = keras.Sequential([
        ...     keras.layers.Input([784]),
        ...     layers.LatentHead(num_variables=20, num_categories=10),
        ...     layers.StochasticLayer("reinmax", kl_weight=schedules.Linear(0.0, 1.0, steps=1000)),
        ...     keras.layers.Flatten(),
        ...     keras.layers.Dense(784),
        ... ])
        >>> model.compile("adam", loss=losses.NegativeLogLikelihood("bernoulli"))
        >>> model(tf.zeros([5, 784])).shape
        TensorShape([5, 784])

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """

    def __init__(
        self,
        estimator: EstimatorLike = "gumbel_softmax",
        temperature: ScheduleLike | None = None,
        latents: str = "categorical",
        inference: str = "mode",
        kl_weight: ScheduleLike | None = None,
        prior: str = "uniform",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        checks.choice("inference", inference, INFERENCE)
        checks.choice("prior", prior, arguments.PRIORS)
        if prior == "learned" and kl_weight is None:
            raise ValueError(
                "A learned prior is trained by the KL. Set kl_weight, or prior='uniform'. "
                "Received: prior='learned', kl_weight=None"
            )
        self.estimator = arguments.pathwise_estimator(estimator, latents, temperature)
        self.latents = latents
        self.inference = inference
        self.prior: IndependentPrior | None = None
        self._learns_prior = prior == "learned"
        self.kl_weight = None
        if kl_weight is not None:
            self.kl_weight = arguments.scheduled_weight(
                "kl_weight", kl_weight, ", or None for no KL"
            )
        self.seed = seeds.random_seed() if seed is None else checks.seed("seed", seed)
        self.supports_masking = True
        self.step = counters.add(self, "step")
        self.inference_step = counters.add(self, "inference_step")
        self.repeat = counters.add(self, "repeat")
        if self.kl_weight is not None:
            self.kl_nats = keras.metrics.Mean(name=f"{self.name}_kl_nats")
            # SavedModel finds attributes; a metric's variables it does not.
            self._kl_total, self._kl_count = (v.value for v in self.kl_nats.variables)
        self._recorder = _Recorder()
        self._calls = passes.CallCounter()

    def build(self, inputs_shape: Shape) -> None:
        self.estimator.kind.check_logits(inputs_shape)
        if self.kl_weight is not None:
            kind = self.estimator.kind
            num_variables, num_categories = kind.sizes_of(tuple(inputs_shape[-kind.event_rank :]))
            if num_variables is None or num_categories is None:
                raise ValueError(
                    "A KL needs to know the number of variables and categories. Fix the last axes of the "
                    f"inputs. Received: inputs.shape={tuple(inputs_shape)}"
                )
            self.prior = IndependentPrior(
                num_variables,
                num_categories,
                self.latents,
                learned=self._learns_prior,
                dtype="float32",
                name="prior",
            )
        self.built = True

    def call(
        self,
        inputs: Tensor,
        training: bool = False,
        mask: Tensor | None = None,
        seed: SeedLike | None = None,
    ) -> tf.Tensor:
        self.estimator.kind.check_logits(inputs.shape)
        self.estimator.check_dtype(inputs.dtype)
        draws = training or self.inference == "draw" or self.kl_weight is not None
        if draws and passes.is_vectorized():
            raise ValueError(
                f"{type(self).__name__} cannot draw inside tf.vectorized_map, which TimeDistributed "
                "uses where the number of time steps is not fixed. Call the layer on [batch, time, ...] "
                "directly; it takes any axes before those of the variables. "
                f"Received: inputs.shape={inputs.shape}"
            )
        logits, mask = self._as_rows(types.at_least_float32(inputs), mask)
        self._recorder.add(logits, mask)
        first = self._calls.is_first()
        if first:
            self.repeat.assign(0)
        value = (self._training_value if training else self._inference_value)(logits, seed)
        if self.kl_weight is not None and self.prior is not None:
            kl = self._kl_of_rows(self.prior, logits, mask)
            self._add_kl(tf.reshape(kl, self._lead(inputs)), self.kl_weight.value, first)
        event = tf.shape(value)[-self.estimator.event_rank :]
        shape = tf.concat([self._lead(inputs), event], axis=0)
        value = tf.reshape(tf.cast(value, self.compute_dtype), shape)
        value.set_shape(self.compute_output_shape(inputs.shape))
        return value

    def posterior(self, logits: Tensor) -> Discrete:
        """Returns q(z | logits), the posterior distribution over codes."""
        return self.estimator.distribution(logits)

    def next_seed(self, training: bool) -> Seed:
        """Returns the seed of the next pass, int32 [2]; different on every replica."""
        return self._seed_at(training, 0)

    @contextlib.contextmanager
    def record(self) -> Iterator[list[tuple[Tensor, Tensor | None]]]:
        """Records the logits and the mask of each call inside the block.

        Logits are float [R, N(, K)], at least float32, with all axes before the variables folded into R
        rows. The mask is bool [R], or None.

        Example:
            >>> layer = StochasticLayer()
            >>> with layer.record() as calls:
            ...     _ = layer(tf.zeros([3, 5, 2, 4]))
            >>> [(logits.shape, mask) for logits, mask in calls]
            [(TensorShape([15, 2, 4]), None)]
        """
        calls: list[tuple[Tensor, Tensor | None]] = []
        self._recorder.sinks.append(calls)
        try:
            yield calls
        finally:
            self._recorder.sinks.pop()

    def compute_output_shape(self, inputs_shape: Shape) -> tuple[int | None, ...]:
        return self.estimator.compute_output_shape(inputs_shape)

    def get_config(self) -> Config:
        kl_weight = self.kl_weight and self.kl_weight.get_config()["schedule"]
        return {
            **super().get_config(),
            "estimator": keras.saving.serialize_keras_object(self.estimator),
            "latents": self.latents,
            "inference": self.inference,
            "kl_weight": kl_weight,
            "prior": "learned" if self._learns_prior else "uniform",
            "seed": self.seed,
        }

    def _training_value(self, logits: tf.Tensor, seed: SeedLike | None) -> tf.Tensor:
        first = self._calls.is_first("train")
        if first:
            step = tf.convert_to_tensor(self.step)
            for scheduled in scheduled_values(self):
                scheduled.update(step)
        noise = self.estimator.draw_noise(self._draw_seed(seed, True, first), logits, num_samples=1)
        value = self.estimator.sample(logits, noise).value[0]
        if first:
            self.step.assign_add(1)
        return value

    def _inference_value(self, logits: tf.Tensor, seed: SeedLike | None) -> tf.Tensor:
        distribution = self.posterior(logits)
        if self.inference == "mode":
            return distribution.mode()
        if self.inference == "mean":
            return distribution.probs
        first = seed is None and self._calls.is_first("inference")
        value = distribution.sample(self._draw_seed(seed, False, first), 1)[0]
        if first:
            self.inference_step.assign_add(1)
        return value

    def _draw_seed(self, seed: SeedLike | None, training: bool, first: bool) -> Seed:
        """Returns the given seed, or a new one for every call of every pass."""
        if seed is not None:
            return seeds.convert(seed)
        if first:
            return self.next_seed(training)
        # The first call of the pass has moved the counter on. How many calls follow is known at run time
        # only, for a recurrent layer traces one call and runs it at every time step.
        repeat = tf.convert_to_tensor(self.repeat)
        self.repeat.assign_add(1)
        return seeds.fold(self._seed_at(training, -1), "call", repeat)

    def _seed_at(self, training: bool, offset: int) -> Seed:
        counter = tf.convert_to_tensor(self.step if training else self.inference_step)
        purpose = "train" if training else "inference"
        return seeds.fold(
            seeds.base(self.seed), self.name, purpose, counter + offset, seeds.replica_id()
        )

    def _lead(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the axes before those of the variables."""
        return tf.shape(inputs)[: -self.estimator.event_rank]

    def _as_rows(self, logits: tf.Tensor, mask: Tensor | None) -> tuple[tf.Tensor, Tensor | None]:
        """Folds logits into [R, N(, K)] and the mask into [R], because softmax takes at most 5 axes."""
        event_rank = self.estimator.event_rank
        if mask is not None:
            mask = positions.rows_of_mask(mask, logits, event_rank)
        count = tf.reduce_prod(self._lead(logits), keepdims=True)
        rows = tf.reshape(logits, tf.concat([count, tf.shape(logits)[-event_rank:]], axis=0))
        rows.set_shape([None, *logits.shape[-event_rank:]])
        return rows, mask

    def _kl_of_rows(
        self, prior: IndependentPrior, logits: tf.Tensor, mask: Tensor | None
    ) -> tf.Tensor:
        """Computes KL(q || p) in nats, [R], summed over the variables; 0 where masked."""
        if mask is not None:
            # What is masked may hold anything; a constant keeps its gradient finite.
            event = (..., *[tf.newaxis] * self.estimator.event_rank)
            logits = tf.where(mask[event], logits, tf.zeros_like(logits))
        posterior = self.posterior(logits)
        kl = posterior.kl_divergence(prior.distribution(logits.dtype))
        return kl if mask is None else tf.where(mask, kl, tf.zeros_like(kl))

    def _add_kl(self, kl: tf.Tensor, weight: tf.Tensor, first: bool) -> None:
        """Adds the batch mean of KLs [batch, ...], summed over all other axes, to loss and metric."""
        if self._calls.left_graph():
            raise ValueError(
                "A KL cannot be added to the loss inside a loop, such as that of keras.layers.RNN over its "
                "cell. Set kl_weight=None there and add the KL outside. "
                f"Received: kl_weight={self.get_config()['kl_weight']!r}, name={self.name!r}"
            )
        kl = tf.reduce_sum(kl, axis=list(range(1, kl.shape.rank)))
        if first:
            self.kl_nats.update_state(kl)
        else:  # A further term of the same examples, which count once.
            self.kl_nats.total.assign_add(tf.cast(tf.reduce_sum(kl), self.kl_nats.dtype))
        mean = tf.math.divide_no_nan(tf.reduce_sum(kl), tf.cast(tf.size(kl), kl.dtype))
        self.add_loss(tf.cast(tf.cast(weight, kl.dtype) * mean, keras.config.floatx()))


class _Recorder:
    """Stores the records of `record`; a plain object, which Keras does not wrap."""

    def __init__(self) -> None:
        self.sinks: list[list[tuple[Tensor, Tensor | None]]] = []

    def add(self, logits: Tensor, mask: Tensor | None) -> None:
        for sink in self.sinks:
            sink.append((logits, mask))
