"""Baselines of the score function: what an objective is compared with before it weighs a gradient.

A baseline may be any function that the sample itself does not reach; then the gradient stays unbiased,
whatever the baseline has learned so far. Averages are therefore read before the batch enters them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.registry import ClassRegistry
from tf_discrete.estimators.moving_moments import MovingMoments
from tf_discrete.estimators.reductions import mean
from tf_discrete.estimators.scalar_network import scalar_network
from tf_discrete.types import BaselineLike, Config, Reduction, Shape, Tensor, cast


def leave_one_out(values: Tensor, reduce: Reduction | None = mean) -> tf.Tensor:
    """Credit of each sample: the reduced objective less what it would be without that sample.

    'Without' means that the sample's value is replaced by the mean of the others. For `mean` the
    credit is (f_s - mean of the others) / S; for `log_mean_exp` it is VIMCO's learning signal; for None
    (samples kept apart) f_s - mean of the others.

    Args:
        values: float [S, *B], S >= 2.
        reduce: the reduction of the objective.

    Returns:
        credit: float [S, *B], no gradient.

    Example:
        >>> leave_one_out(tf.constant([1.0, 3.0])).numpy().tolist()
        [-1.0, 1.0]

    Reference:
        Mnih, Rezende. Variational inference for Monte Carlo objectives. 2016. arXiv:1602.06725.
    """
    values = tf.stop_gradient(values)
    count = tf.cast(tf.shape(values)[0], values.dtype)
    others = (tf.reduce_sum(values, axis=0, keepdims=True) - values) / (count - 1.0)
    if reduce is None:
        return values - others
    if reduce is mean:
        return (values - others) / count
    replaced = tf.where(_itself(values), others[:, tf.newaxis], values[:, tf.newaxis])
    return reduce(values)[tf.newaxis] - reduce(replaced)


def signal(values: Tensor, reduce: Reduction | None = mean) -> tf.Tensor:
    """Returns the weight of the score of each sample without a baseline, before any 1 / S.

    The sample's own value where the samples are apart or averaged; the whole bound where they are
    reduced in another way, for then every sample has a share in it.

    Args:
        values: float [S, *B].
        reduce: the reduction of the objective.

    Returns:
        signal: float [S, *B], no gradient.

    Example:
        >>> signal(tf.constant([1.0, 3.0])).numpy().tolist()
        [1.0, 3.0]
    """
    values = tf.stop_gradient(values)
    if reduce is None or reduce is mean:
        return values
    return tf.broadcast_to(reduce(values)[tf.newaxis], tf.shape(values))


class Baseline(keras.layers.Layer):
    """Base of all baselines: a layer, so that a model saves the averages and weights it owns.

    Attributes:
        min_samples: fewest samples that the baseline needs. Default: 1.
        learned: Bool, whether it has weights, which the squared residual trains. Default: False.
    """

    min_samples = 1
    learned = False

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.built = True

    def residual(self, values: Tensor, reduce: Reduction | None, features: Tensor) -> tf.Tensor:
        """Returns the signal of each sample less the baseline.

        Args:
            values: float [S, *B], the objective at each sample.
            reduce: the reduction of the objective.
            features: float [*B, D], or with the samples first; what a learned baseline reads.

        Returns:
            residual: float [S, *B]; its gradient reaches the weights of the baseline alone.
        """
        return signal(values, reduce)

    def update(self, residual: Tensor) -> None:
        """Takes a training batch into the averages, after they have been read."""

    def loss(self, residual: Tensor) -> tf.Tensor:
        """Returns what trains the weights of a learned baseline, half the squared residual, [S, *B]."""
        return 0.5 * tf.square(residual)

    def get_config(self) -> Config:
        config = super().get_config()
        del config["dtype"]
        return config


REGISTRY: ClassRegistry[Baseline] = ClassRegistry(
    "baseline",
    Baseline,
    "tf_discrete.baselines",
    "the number itself for a constant baseline (such as baseline=-100.0), or an object of "
    "tf_discrete.estimators.baselines",
)


@REGISTRY.register("none")
class NoBaseline(Baseline):
    """The objective as it is."""


@REGISTRY.takes_number
class Constant(Baseline):
    """A fixed number.

    Args:
        value: in the unit of the objective, within +-1e12: what is left is squared in float32.
    """

    largest = 1e12

    def __init__(self, value: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.value = checks.number("value", value, lowest=-self.largest, highest=self.largest)

    def residual(self, values: Tensor, reduce: Reduction | None, features: Tensor) -> tf.Tensor:
        return signal(values, reduce) - tf.cast(self.value, values.dtype)

    def get_config(self) -> Config:
        return {**super().get_config(), "value": self.value}


@REGISTRY.register("leave_one_out")
class LeaveOneOut(Baseline):
    """Each sample is compared with the others, see `leave_one_out`. Nothing is learned.

    Args:
        replacement: what stands in for a sample's exp(value) where values are logarithms
            (`reduce=log_mean_exp`): the "geometric" or the "arithmetic" mean of the others.
            Default: "geometric".
    """

    min_samples = 2

    def __init__(self, replacement: str = "geometric", **kwargs: Any):
        super().__init__(**kwargs)
        self.replacement = checks.choice("replacement", replacement, ("geometric", "arithmetic"))

    def residual(self, values: Tensor, reduce: Reduction | None, features: Tensor) -> tf.Tensor:
        if reduce is None or reduce is mean:
            return leave_one_out(values, None)
        if self.replacement == "geometric":
            return leave_one_out(values, reduce)
        # The mean of all, with one of them replaced by the mean of the others, is that mean.
        return signal(values, reduce) - _log_mean_exp_of_others(tf.stop_gradient(values))

    def get_config(self) -> Config:
        return {**super().get_config(), "replacement": self.replacement}


@REGISTRY.register("moving_average")
class MovingAverage(Baseline):
    """The average of the objective over past batches.

    Args:
        decay: Float in [0, 1), decay of the average for each training step. Default: 0.99.
    """

    def __init__(self, decay: float = 0.99, **kwargs: Any):
        super().__init__(**kwargs)
        self.moments = MovingMoments(decay)

    def residual(self, values: Tensor, reduce: Reduction | None, features: Tensor) -> tf.Tensor:
        return signal(values, reduce) - cast(self.moments.mean, values.dtype)

    def update(self, residual: Tensor) -> None:
        self.moments.update(residual + cast(self.moments.mean, residual.dtype))

    def get_config(self) -> Config:
        return {**super().get_config(), "decay": self.moments.decay}


@REGISTRY.register("learned")
class Learned(Baseline):
    """A network on the input, trained by the squared residual; and the average of what it leaves.

    Args:
        hidden_units: Sizes of the tanh layers before the linear output. Default: (100,).
        moving_average: Bool, whether to subtract the average of past residuals too. Default: False.
        decay: Float in [0, 1), decay of that average. Default: 0.99.
        learning_rate_factor: Float from 1e-6 to 1e6: the network learns as if the optimizer's learning rate
            were this many times larger, for a baseline has to follow a model that moves. Default: 1.0.

    Reference:
        Mnih, Gregor. Neural variational inference and learning in belief networks. 2014.
        arXiv:1402.0030.
    """

    learned = True

    def __init__(
        self,
        hidden_units: Sequence[int] = (100,),
        moving_average: bool = False,
        decay: float = 0.99,
        learning_rate_factor: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.hidden_units = checks.sizes("hidden_units", hidden_units, "layer")
        self.learning_rate_factor = checks.number(
            "learning_rate_factor", learning_rate_factor, lowest=1e-6, highest=1e6
        )
        self.network = scalar_network(self.hidden_units, weight_factor=self.learning_rate_factor)
        self.decay = checks.number("decay", decay, lowest=0.0, below=1.0)
        self.moments = None
        if checks.flag("moving_average", moving_average):
            self.moments = MovingMoments(self.decay)
        self.built = False

    def build(self, features_shape: Shape) -> None:
        self.network.build((None, features_shape[-1]))

    def residual(self, values: Tensor, reduce: Reduction | None, features: Tensor) -> tf.Tensor:
        if not self.built:
            self.build(features.shape)
        rows = tf.reshape(tf.stop_gradient(features), [-1, features.shape[-1]])
        predicted = tf.reshape(self.network(rows), tf.shape(features)[:-1])
        residual = signal(values, reduce) - cast(predicted, values.dtype)
        if self.moments is not None:
            residual -= cast(self.moments.mean, values.dtype)
        return residual

    def update(self, residual: Tensor) -> None:
        if self.moments is not None:
            self.moments.update(residual + cast(self.moments.mean, residual.dtype))

    def loss(self, residual: Tensor) -> tf.Tensor:
        # The network multiplies its weights by the factor: a step of theirs counts for that many, and with
        # the gradient divided by the factor that is all. See `scalar_network`.
        return super().loss(residual) / self.learning_rate_factor

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "moving_average": self.moments is not None,
            "decay": self.decay,
            "learning_rate_factor": self.learning_rate_factor,
        }


def get(identifier: BaselineLike, **arguments: Any) -> Baseline:
    """Returns a baseline from its name, its number, its class, its config, or itself.

    Args:
        identifier: "none", "leave_one_out", "moving_average", "learned", a number for a constant, a
            `Baseline`, its class or its config.
        **arguments: Arguments of the constructor, if a name or a class is given.

    Raises:
        ValueError: anything else.

    Example:
        >>> get(-100.0).value
        -100.0
    """
    return REGISTRY.get(identifier, **arguments)


def _log_mean_exp_of_others(values: tf.Tensor) -> tf.Tensor:
    """log of the mean of exp over the other samples, [S, *B]; quadratic in S, never cancelling."""
    lost = tf.cast(-float("inf"), values.dtype)
    others = tf.where(_itself(values), lost, values[:, tf.newaxis])
    count = tf.cast(tf.shape(values)[0] - 1, values.dtype)
    return tf.reduce_logsumexp(others, axis=0) - tf.math.log(count)


def _itself(values: tf.Tensor) -> tf.Tensor:
    """Returns where sample and other sample are one, of values [S, *B]: bool [S, S, 1, ...]."""
    count = tf.shape(values)[0]
    shape = tf.concat([[count, count], tf.ones([values.shape.rank - 1], tf.int32)], axis=0)
    return tf.reshape(tf.eye(count, dtype=tf.bool), shape)
