"""Likelihoods p(x | parameters) of observations, per example in nats.

A likelihood says how many numbers the decoder puts out, and what they mean. A user's own one is a
subclass of `Likelihood`, registered with Keras, and by `register` if it shall have a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

from tf_discrete import checks, input_checks, seeds, types
from tf_discrete._internal.binary_cross_entropy import bernoulli_log_prob
from tf_discrete._internal.registry import ClassRegistry
from tf_discrete.input_checks import Support
from tf_discrete.serialization import check_serializable
from tf_discrete.types import Seed, Tensor


class Likelihood:
    """Base of likelihoods. Observations x are [B, *data_shape], summed over the data axes.

    Attributes:
        support: the smallest and the largest value that an observation may have. Models, losses and
            served signatures refuse others. None for a likelihood that reads any value, NaN too.
            Default: all finite numbers.
    """

    support: Support | None = input_checks.REAL

    def parameters_shape(self, data_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the decoder's output for one example."""
        return tuple(data_shape)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        """log p(x | parameters) in nats, summed over pixels.

        Args:
            x: float [B, *data_shape].
            parameters: float [*lead, B, *parameters_shape]; `lead` may hold samples.

        Returns:
            log_prob: float [*lead, B].

        Raises:
            ValueError: shapes that do not fit, see `check_shapes`. Values are not checked here.
        """
        raise NotImplementedError

    def check_shapes(self, x: Tensor, parameters: Tensor) -> None:
        """Refuses observations and parameters that would be broadcast against each other.

        Args:
            x: [B, *data_shape].
            parameters: [*lead, B, *parameters_shape].

        Raises:
            ValueError: names both shapes and the one that the parameters must have.
        """
        if x.shape.rank is None or parameters.shape.rank is None:
            return
        wanted = self.parameters_shape(tuple(x.shape[1:])) if x.shape.rank else ()
        found = parameters.shape[max(0, parameters.shape.rank - len(wanted) - 1) :]
        if not x.shape.rank or not found.is_compatible_with([x.shape[0], *wanted]):
            raise ValueError(
                "Observations must be [B, *data_shape], and their parameters "
                f"[..., B, {', '.join(map(str, wanted))}]. Give both the same batch and the same axes. "
                f"Received: x.shape={tuple(x.shape)}, parameters.shape={tuple(parameters.shape)}"
            )

    def mean(self, parameters: Tensor) -> tf.Tensor:
        """The mean observations, [B, *data_shape], of parameters [B, *parameters_shape]."""
        raise NotImplementedError

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        """Draws of observations, [B, *data_shape], of parameters [B, *parameters_shape]."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Likelihood:
        return cls(**config)


REGISTRY: ClassRegistry[Likelihood] = ClassRegistry(
    "likelihood",
    Likelihood,
    "tf_discrete.likelihoods",
    "an object, a class or a config of a registered subclass of tf_discrete.likelihoods.Likelihood",
)
_Class = TypeVar("_Class", bound=type[Likelihood])


def register(name: str) -> Callable[[_Class], _Class]:
    """Class decorator: makes a likelihood known by a name, for the flags and `get`, and to Keras.

    Raises:
        ValueError: Another class has the name.
    """
    return REGISTRY.register(name)


@register("bernoulli")
class Bernoulli(Likelihood):
    """Independent pixels in {0, 1}; the parameters are logits.

    Pixels in between are taken as expectations of bits (binary cross-entropy), as much of the
    literature does; then the bound is not that of a density.

    Example:
        >>> x = tf.ones([2, 28, 28, 1])
        >>> Bernoulli().log_prob(x, tf.zeros([5, 2, 28, 28, 1])).shape   # 5 samples
        TensorShape([5, 2])
    """

    support = (0.0, 1.0)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        logits, x = _widen(self, parameters, x)
        size = math.prod(x.shape[1:]) if x.shape[1:].is_fully_defined() else -1
        lead = tf.shape(logits)[: 1 + logits.shape.rank - x.shape.rank]
        flat = tf.reshape(logits, tf.concat([lead, [size]], axis=0))
        return bernoulli_log_prob(flat, tf.reshape(x, [tf.shape(x)[0], size]))

    def mean(self, parameters: Tensor) -> tf.Tensor:
        return tf.sigmoid(types.at_least_float32(parameters))

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        probs = self.mean(parameters)
        uniform = tf.random.stateless_uniform(tf.shape(probs), seed, dtype=probs.dtype)
        return tf.cast(uniform < probs, probs.dtype)


@register("categorical_intensity")
class CategoricalIntensity(Likelihood):
    """Each pixel is one of `levels` intensities; the parameters are logits [*data_shape, levels].

    Args:
        levels: number of intensities, spread evenly over [0, 1]. Default: 256.

    Example:
        >>> CategoricalIntensity(levels=17).parameters_shape((8, 8, 1))
        (8, 8, 1, 17)
    """

    support = (0.0, 1.0)

    def __init__(self, levels: int = 256):
        self.levels = checks.whole("levels", levels, lowest=2)

    def parameters_shape(self, data_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*data_shape, self.levels)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        logits, x = _widen(self, parameters, x)
        level = tf.cast(tf.round(x * (self.levels - 1)), tf.int32)
        log_probs = tf.nn.log_softmax(logits) * tf.one_hot(level, self.levels, dtype=logits.dtype)
        # The one-hot of a level that does not exist is 0, and would score like a certain pixel.
        exists = (x >= -input_checks.ROUNDING) & (x <= 1 + input_checks.ROUNDING)
        log_prob = tf.where(exists, tf.reduce_sum(log_probs, axis=-1), math.nan)
        return _sum_data(log_prob, x)

    def mean(self, parameters: Tensor) -> tf.Tensor:
        probs = tf.nn.softmax(types.at_least_float32(parameters))
        return tf.linalg.matvec(probs, tf.linspace(tf.cast(0.0, probs.dtype), 1.0, self.levels))

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        logits = types.at_least_float32(parameters)
        flat = tf.reshape(logits, [-1, self.levels])
        level = tf.random.stateless_categorical(flat, 1, seeds.fold(seed, "intensity"))
        return tf.reshape(tf.cast(level, logits.dtype) / (self.levels - 1), tf.shape(logits)[:-1])

    def get_config(self) -> dict[str, Any]:
        return {"levels": self.levels}


@register("gaussian")
class Gaussian(Likelihood):
    """Independent Gaussian observations; the parameters are the mean and, if learned, the log scale.

    Args:
        scale: standard deviation, or None to learn one for each observed value. Default: 1.0.

    Example:
        >>> round(float(Gaussian(scale=1.0).log_prob(tf.zeros([1, 2]), tf.zeros([1, 2]))[0]), 4)
        -1.8379
    """

    def __init__(self, scale: float | None = 1.0):
        self.scale = checks.optional(checks.positive, "scale", scale)

    def parameters_shape(self, data_shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(data_shape) if self.scale else (*data_shape, 2)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        parameters, x = _widen(self, parameters, x)
        mean, log_scale = self._mean_and_log_scale(parameters)
        error = (x - mean) * tf.exp(-log_scale)
        return _sum_data(-0.5 * (error**2 + math.log(2 * math.pi)) - log_scale, x)

    def mean(self, parameters: Tensor) -> tf.Tensor:
        return self._mean_and_log_scale(types.at_least_float32(parameters))[0]

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        mean, log_scale = self._mean_and_log_scale(types.at_least_float32(parameters))
        normal = tf.random.stateless_normal(tf.shape(mean), seed, dtype=mean.dtype)
        return mean + tf.exp(log_scale) * normal

    def _mean_and_log_scale(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self.scale:
            return parameters, tf.constant(math.log(self.scale), parameters.dtype)
        return parameters[..., 0], tf.maximum(parameters[..., 1], -7.0)

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale}


@register("cosine_similarity")
class CosineSimilarity(Likelihood):
    """Directions of embeddings: log p = concentration * cosine(x, parameters) + constant.

    This is the von Mises-Fisher density up to its normaliser, which depends on the concentration
    alone; bounds are therefore comparable at one concentration only.

    Args:
        concentration: positive. Default: 10.0.

    Example:
        >>> x = tf.constant([[3.0, 4.0]])
        >>> CosineSimilarity(concentration=2.0).log_prob(x, x).numpy().tolist()
        [2.0]
    """

    def __init__(self, concentration: float = 10.0):
        self.concentration = checks.positive("concentration", concentration)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        parameters, x = _widen(self, parameters, x)
        data_rank = x.shape.rank - 1
        cosine = _normalize(parameters, data_rank) * _normalize(x, data_rank)
        return self.concentration * _sum_data(cosine, x)

    def mean(self, parameters: Tensor) -> tf.Tensor:
        parameters = types.at_least_float32(parameters)
        return _normalize(parameters, parameters.shape.rank - 1)

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        return self.mean(parameters)

    def get_config(self) -> dict[str, Any]:
        return {"concentration": self.concentration}


def names() -> list[str]:
    """Names that `get` takes."""
    return REGISTRY.names()


def get(identifier: Any, **arguments: Any) -> Likelihood:
    """A likelihood from its name, its class, its config, or itself.

    Args:
        identifier: name, class, config as Keras serialises it, or an object, which is returned.
        **arguments: of the constructor, for a name or a class.

    Raises:
        ValueError: an unknown name, an object that Keras could not save, or arguments without a taker.

    Example:
        >>> get("bernoulli").parameters_shape((28, 28, 1))
        (28, 28, 1)
    """
    likelihood = REGISTRY.get(identifier, **arguments)
    check_serializable(likelihood, "likelihood")
    return likelihood


def _widen(likelihood: Likelihood, parameters: Tensor, x: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    parameters, x = types.at_least_float32(parameters), tf.convert_to_tensor(x)
    likelihood.check_shapes(x, parameters)
    return parameters, tf.cast(x, parameters.dtype)


def _sum_data(values: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(values, axis=list(range(-(x.shape.rank - 1), 0)))


def _normalize(values: tf.Tensor, data_rank: int) -> tf.Tensor:
    return tf.math.l2_normalize(values, axis=list(range(-data_rank, 0)))
