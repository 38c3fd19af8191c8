"""The interface of likelihoods p(x | parameters), per example in nats."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import input_checks
from tf_discrete._internal.input_checks import Support
from tf_discrete.types import Config, Seed, Tensor


class Likelihood:
    """Base of likelihoods. Observations x are [B, *data_shape], summed over the data axes.

    Attributes:
        support: the smallest and the largest value that an observation may have. Models, losses and
            served signatures refuse others. None for a likelihood that reads any value, NaN too.
            Default: all finite numbers.
        density: whether `log_prob` is the logarithm of a density, which may be positive, or of a
            probability, which is at most 0. Default: None, the likelihood does not say it.
    """

    support: Support | None = input_checks.REAL
    density: bool | None = None

    def parameters_shape(self, data_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape of the decoder's output for one example."""
        return tuple(data_shape)

    def log_prob(self, x: Tensor, parameters: Tensor) -> tf.Tensor:
        """Returns log p(x | parameters) in nats, summed over pixels.

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
            ValueError: Names both shapes and the one that the parameters must have.
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
        """Returns the mean observations, [B, *data_shape], of parameters [B, *parameters_shape]."""
        raise NotImplementedError

    def sample(self, parameters: Tensor, seed: Seed) -> tf.Tensor:
        """Draws of observations, [B, *data_shape], of parameters [B, *parameters_shape]."""
        raise NotImplementedError

    def get_config(self) -> Config:
        return {}

    @classmethod
    def from_config(cls, config: Config) -> Likelihood:
        return cls(**config)


def widen(likelihood: Likelihood, parameters: Tensor, x: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Parameters in at least float32 and observations of the same dtype, their shapes checked."""
    parameters, x = types.at_least_float32(parameters), tf.convert_to_tensor(x)
    likelihood.check_shapes(x, parameters)
    return parameters, tf.cast(x, parameters.dtype)


def sum_data(values: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Values [*lead, B, *data_shape] summed over the axes of the data of x [B, *data_shape]."""
    return tf.reduce_sum(values, axis=list(range(-(x.shape.rank - 1), 0)))
