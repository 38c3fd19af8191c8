"""How an estimator's gradient of a model scatters, and how far it is off: by layer, on one batch.

`GradientProbe` samples the gradient of a model's loss many times. What it is compared with is a
`Reference`: the exact gradient where all configurations of the latents can be enumerated, else the
pooled average of unbiased estimators, whose own noise is known and taken off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete._internal.batch_image import image_of
from tf_discrete.distributions import Discrete
from tf_discrete.estimators import Enumeration, Estimator
from tf_discrete.evaluation.gradient_statistics import (
    LayerStatistics,
    Moments,
    Reference,
    RunningMoments,
    layer_statistics,
)
from tf_discrete.evaluation.network_weights import network_weights, with_estimator
from tf_discrete.schedules import scheduled_values
from tf_discrete.types import Batch, SeedLike, Tensor

if TYPE_CHECKING:
    from tf_discrete.models import DiscreteModel


class GradientProbe:
    """Samples the gradient of a model's loss on a batch, with the weights as they are.

    The gradient is that of the mean over the batch, in nats per unit of a weight; only the latents'
    noise differs between samples. Weights may change between calls; the computation is traced once.

    Args:
        model: a `DiscreteModel`.

    Raises:
        ValueError: No `DiscreteModel`.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((4, 4, 1), num_variables=2, num_categories=3, hidden_units=())
        >>> x = tf.ones([5, 4, 4, 1])
        >>> reference = exact_reference(model, x)
        >>> statistics = GradientProbe(model).measure(x, num_gradients=10, reference=reference)
        >>> list(statistics)
        ['all', 'encoder', 'encoder/1', 'decoder', 'decoder/1']
    """

    def __init__(self, model: DiscreteModel):
        checks.having("model", model, ("objective", "trainable_variables"), "a DiscreteModel")
        self.model = model
        trainable = {
            name: [weight for weight in weights if weight.trainable]
            for name, weights in network_weights(model).items()
        }
        self._layers = {name: weights for name, weights in trainable.items() if weights}
        self._variables = [w for weights in self._layers.values() for w in weights]
        sizes = [sum(math.prod(w.shape) for w in weights) for weights in self._layers.values()]
        self._ends = np.cumsum(sizes)
        self._draw = tf.function(self._gradient, autograph=False)
        self._adapt: Callable[..., None] | None = None

    @property
    def groups(self) -> dict[str, list[int]]:
        """Returns the numbers of the layers in each group that is reported: all, each part, each layer."""
        groups: dict[str, list[int]] = {"all": list(range(len(self._layers)))}
        for index, name in enumerate(self._layers):
            groups.setdefault(name.split("/")[0], []).append(index)
            groups[name] = [index]
        return {name: groups[name] for name in _in_order(groups)}

    def sample(self, x: Tensor, num_gradients: int, seed: SeedLike = 0) -> Iterable[np.ndarray]:
        """Returns independent samples of the gradient, float32 [P] each."""
        seed = seeds.convert(seed)
        for index in range(checks.whole("num_gradients", num_gradients)):
            yield self._draw(x, seeds.fold(seed, "gradient", index)).numpy()

    def moments(self, x: Tensor, num_gradients: int, seed: SeedLike = 0) -> Moments:
        """Returns mean and variance of the gradient.

        Args:
            x: observations, float [B, *data_shape].
            num_gradients: at least 2.
            seed: Int or int32 [2].

        Raises:
            ValueError: fewer than 2 samples.
        """
        running = RunningMoments(num_gradients)
        for gradient in self.sample(x, num_gradients, seed):
            running.add(gradient)
        return running.moments

    def measure(
        self,
        x: Tensor,
        num_gradients: int,
        seed: SeedLike = 0,
        reference: Reference | None = None,
    ) -> dict[str, LayerStatistics]:
        """Returns statistics of the gradient: over all weights, for each part of the model and each layer.

        Args:
            x: observations, float [B, *data_shape].
            num_gradients: at least 2.
            seed: Int or int32 [2]; other than that of the reference.
            reference: from the same batch and weights. Default: none.

        Raises:
            ValueError: fewer than 2 samples.
        """
        running = RunningMoments(num_gradients)
        products = []
        for gradient in self.sample(x, num_gradients, seed):
            running.add(gradient)
            if reference is not None:
                products.append(
                    (self._sums(gradient * reference.gradient), self._sums(gradient**2))
                )
        mean, variance, _ = running.moments
        mean_noise = self._sums(variance / num_gradients)
        parts = {
            "squares": self._sums(mean**2),
            "noise": mean_noise,
            "variance": self._sums(variance),
        }
        if reference is not None:
            parts["along"] = self._sums(mean * reference.gradient)
            parts["off"] = self._sums((mean - reference.gradient) ** 2)
            parts["reference"] = self._sums(reference.gradient**2)
            parts["reference_noise"] = self._sums(reference.variance)
        return {
            name: layer_statistics(
                {key: part[layers].sum() for key, part in parts.items()},
                [(dots[layers].sum(), squares[layers].sum()) for dots, squares in products],
            )
            for name, layers in self.groups.items()
        }

    @property
    def learns(self) -> bool:
        """Returns whether the estimator has anything to learn: weights, or averages over past batches."""
        estimator = self.model.estimator
        scheduled = {id(value.variable) for value in scheduled_values(estimator)}
        return any(id(weight) not in scheduled for weight in estimator.weights)

    def adapt(self, batches: Iterable[Batch], learning_rate: float = 1e-3) -> None:
        """Lets the estimator learn its baselines and control variates; the networks stay as they are.

        Args:
            batches: one for each step: observations, or dicts with `image`.
            learning_rate: Learning rate of Adam, whose state lasts from call to call.
        """
        learning_rate = checks.positive("learning_rate", learning_rate)
        if self._adapt is None:
            self._adapt = _adaptation(self.model, learning_rate)
        for batch in batches:
            x = image_of(batch)
            self._adapt(
                x, self.model.step_seed(tf.convert_to_tensor(self.model.micro_step), "adapt")
            )
            self.model.micro_step.assign_add(1)

    def _gradient(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.model.objective(x, seed, training=False).loss)
        gradients = tape.gradient(
            loss,
            [variable.value for variable in self._variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return tf.concat([tf.reshape(tf.cast(g, tf.float32), [-1]) for g in gradients], axis=0)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Returns the sum over the weights of each layer."""
        starts = np.concatenate([[0], self._ends[:-1]])
        return np.add.reduceat(values.astype(np.float64), starts)


def exact_reference(model: DiscreteModel, x: Tensor) -> Reference | None:
    """Computes the exact gradient under the distribution that the model's estimator samples, by enumeration.

    Args:
        model: a `DiscreteModel` trained by `objective="elbo"`; its latents have one layer.
        x: observations, float [B, *data_shape].

    Returns:
        reference: or None where the configurations are too many to enumerate, or the code is a path.

    Raises:
        ValueError: A model that cannot be made with enumeration.

    Example:
        See `GradientProbe`.
    """
    if not model.latent_spec.kind.factorized:
        return None
    try:
        other = with_estimator(model, _EnumerationOf(model.estimator))
        probe = GradientProbe(other)
        (gradient,) = probe.sample(x, 1)
    except ValueError as error:
        if "configurations" not in str(error):
            raise
        return None
    return Reference(gradient.astype(np.float64), np.zeros(len(gradient)), True)


def count_evaluations(model: DiscreteModel, num_samples: int | None = None) -> int:
    """Returns how often a model's estimator evaluates the objective for one example and gradient.

    Args:
        model: with an `estimator`, a `latent_spec` and a `data_shape`.
        num_samples: Default: that of the model.

    Raises:
        ValueError: a number of samples that the estimator does not take.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((4, 4, 1), num_variables=2, num_categories=3, hidden_units=())
        >>> count_evaluations(model, num_samples=5)
        5
    """
    estimator, rows = model.estimator, 0
    event = tuple(range(-estimator.event_rank, 0))

    def counted(z: tf.Tensor) -> tf.Tensor:
        nonlocal rows
        rows += math.prod(z.shape[: -estimator.event_rank])
        return tf.reduce_sum(z, axis=event)

    logits = tf.zeros([1, *model.latent_spec.logits_shape])
    noise = estimator.draw_noise(seeds.base(0), logits, num_samples or model.num_samples)
    estimator.estimate(counted, logits, noise, context=tf.zeros([1, math.prod(model.data_shape)]))
    return rows


def most_samples(model: DiscreteModel, evaluations: int) -> int:
    """Returns the most samples that take at most n evaluations of the objective; at least the fewest.

    Args:
        model: As in `count_evaluations`.
        evaluations: Int n, for one example and gradient.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((4, 4, 1), num_variables=2, num_categories=3, hidden_units=())
        >>> most_samples(model, evaluations=12)
        12
    """
    fewest = model.estimator.min_samples
    for samples in range(evaluations, fewest, -1):
        try:
            if count_evaluations(model, samples) <= evaluations:
                return samples
        except ValueError:  # Some take pairs only.
            continue
    return fewest


class _EnumerationOf(Enumeration):
    """Enumeration under the distribution of another estimator."""

    def __init__(self, estimator: Estimator):
        super().__init__(latents=estimator.latents)
        self._distribution_of = estimator.distribution

    def distribution(self, logits: Tensor) -> Discrete:
        return self._distribution_of(logits)


def _adaptation(model: DiscreteModel, learning_rate: float) -> Callable[..., None]:
    learned = model.estimator.trainable_variables
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(learned)

    @tf.function(autograph=False)
    def step(x: tf.Tensor, seed: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.objective(x, seed, training=True).auxiliary)
        if learned:
            optimizer.apply(
                tape.gradient(loss, [v.value for v in learned], unconnected_gradients="zero"),
                learned,
            )

    return step


def _in_order(groups: dict[str, list[int]]) -> list[str]:
    """All, then each part before its layers."""
    parts = [name for name in groups if "/" not in name and name != "all"]
    return ["all", *(name for part in parts for name in groups if name.split("/")[0] == part)]
