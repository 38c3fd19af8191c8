"""Relaxed discrete distributions (Concrete / Gumbel-Softmax), drawn and scored in log space.

Built on TFP's `ExpRelaxedOneHotCategorical`, which is scored at the logarithm of the sample: the density
of the plain class is NaN at low temperature. What is added: masked categories, at least float32.

Nothing in the package needs these classes: they are loaded, and TFP with them, when they are asked for.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_discrete import types
from tf_discrete._internal import checks
from tf_discrete.distributions import relaxed_density
from tf_discrete.types import Tensor

tfd: Any = tfp.distributions


class ExpRelaxedCategorical(tfd.ExpRelaxedOneHotCategorical):
    """The logarithm of a relaxed one-hot categorical variable, one [K] event a variable.

    A sample is log z with z on the simplex: `tf.exp` it for the decoder, score it as it is. Masked
    categories (logits of -inf) have log z = -inf and do not count as a dimension of the density.

    Args:
        temperature: Positive float, or broadcastable against `logits[..., 0]`.
        logits: float [..., N, K]; at least float32 is used.

    Example:
        >>> from tf_discrete import seeds
        >>> q = ExpRelaxedCategorical(0.5, logits=tf.zeros([20, 10]))
        >>> log_z = q.sample(3, seed=seeds.base(0))
        >>> log_z.shape, q.log_prob(log_z).shape
        (TensorShape([3, 20, 10]), TensorShape([3, 20]))

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix C.3.
    """

    def __init__(self, temperature: Tensor, logits: Tensor, name: str = "ExpRelaxedCategorical"):
        parameters = dict(locals())
        logits = types.floats("logits", logits)
        _check_shape(logits, "[..., num_variables, num_categories]")
        temperature = relaxed_density.temperature_like(temperature, logits[..., 0])
        super().__init__(temperature=temperature, logits=logits, name=_identifier(name))
        self._parameters = parameters

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType, num_classes: int | None = None
    ) -> dict[str, Any]:
        return {
            "temperature": tfp.util.ParameterProperties(),
            "logits": tfp.util.ParameterProperties(event_ndims=1),
        }

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return relaxed_density.exp_relaxed_categorical_log_prob(x, self.logits, self.temperature)


class RelaxedBernoulliLogit(tfd.Logistic):
    """The log-odds of a relaxed Bernoulli variable (TFP's `RelaxedBernoulli` before its sigmoid).

    A sample is logit(z) with z in (0, 1): `tf.sigmoid` it for the decoder, score it as it is. A logit of
    +-inf makes the bit certain: it is +-inf in every sample and does not count as a dimension of the density.

    Args:
        temperature: Positive float, or broadcastable against `logits`.
        logits: float [..., N]; at least float32 is used.

    Example:
        >>> from tf_discrete import seeds
        >>> q = RelaxedBernoulliLogit(0.5, logits=tf.zeros([20]))
        >>> q.log_prob(q.sample(3, seed=seeds.base(0))).shape
        TensorShape([3, 20])

    Reference:
        Maddison, Mnih, Teh. The Concrete distribution. 2016. arXiv:1611.00712, appendix B.
    """

    def __init__(self, temperature: Tensor, logits: Tensor, name: str = "RelaxedBernoulliLogit"):
        parameters = dict(locals())
        self.logits = types.floats("logits", logits)
        _check_shape(self.logits, "[..., num_variables]")
        self.temperature = relaxed_density.temperature_like(temperature, self.logits)
        super().__init__(
            loc=self.logits / self.temperature,
            scale=tf.ones_like(self.logits) / self.temperature,
            name=_identifier(name),
        )
        self._parameters = parameters

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType, num_classes: int | None = None
    ) -> dict[str, Any]:
        return {
            "temperature": tfp.util.ParameterProperties(),
            "logits": tfp.util.ParameterProperties(),
        }

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return relaxed_density.relaxed_bernoulli_logit_log_prob(x, self.logits, self.temperature)

    def _batch_shape_tensor(self, **parameters: Any) -> tf.Tensor:
        return tf.shape(self.loc)


def _check_shape(logits: tf.Tensor, wanted: str) -> None:
    if logits.shape.rank == 0 or (logits.shape.rank is not None and logits.shape[-1] == 0):
        raise ValueError(f"logits must be {wanted}. Received: logits.shape={logits.shape}")


def _identifier(name: str) -> str:
    if not checks.text("name", name).isidentifier():
        checks.refuse("name", "an identifier of Python", name)
    return name
