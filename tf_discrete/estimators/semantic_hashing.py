"""Improved semantic hashing: Gaussian noise before a saturating sigmoid drives bits to their extremes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_discrete import schedules, seeds, types
from tf_discrete.distributions import Bernoulli
from tf_discrete.distributions import noise as noise_lib
from tf_discrete.estimators import backward, base, sampling
from tf_discrete.estimators.registry import register
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import Config, Sample, ScheduleLike, Seed, Tensor

_FAR = 1_000_000_000  # a step by which every schedule has arrived
_CERTAIN = (
    1e15  # standard deviations from which on a bit is certain; the square is finite in float32
)


@register("semantic_hashing")
class SemanticHashing(base.PathwiseEstimator):
    """Noisy bits: rounded in a part of the elements, left between 0 and 1 in the others.

        x = logit + noise_stddev * n,  n standard normal
        soft = clip(1.2 sigmoid(x) - 0.1, 0, 1),  the saturating sigmoid
        hard = [x > 0], with the gradient of soft; 1 - hard with probability flip_probability
        z = hard with probability discrete_fraction, else soft; element by element

    Noise that the decoder cannot see through costs reconstruction, so training drives the logits to where
    the sigmoid saturates, and rounding there changes little. Flipped bits make the code redundant: a
    decoder that is used to them errs less where a bit is wrong. The code, [x > 0] or its flip, is
    distributed as Bernoulli(p + e - 2 e p) with p = Phi(logit / noise_stddev) and e = discrete_fraction *
    flip_probability, not as sigmoid(logit): `distribution` says so in logit form, and KL, entropy and
    frequencies use it. Its mode, [logit > 0], is the deterministic bit of inference. The gradient is
    biased for every objective, and 0 where |x| > 2.4. It costs one evaluation a sample. (The paper cuts
    its normal noise off at two standard deviations; here it is whole, so that the distribution is known.)

    Args:
        noise_stddev: Positive float or schedule, standard deviation of the Gaussian noise. Default: 1.0.
        discrete_fraction: Probability that an element is rounded, in [0, 1], number or schedule; ramp it
            up from 0 to start softly, as `schedules.Linear(0.0, 0.5, steps=5000)` does. Default: 0.5.
        flip_probability: that a rounded bit is flipped, and its gradient with it, in [0, 0.5), number or
            schedule. Default: 0.0.
        latents: "bernoulli".

    Raises:
        ValueError: noise that is not positive, a fraction or a probability out of range, categorical
            latents.

    Example:
        >>> estimator = SemanticHashing(noise_stddev=0.5)
        >>> distribution = estimator.distribution(tf.constant([-0.5, 0.0, 1.0]))
        >>> distribution.probs.numpy().round(4).tolist(), distribution.mode().numpy().tolist()
        ([0.15870000422000885, 0.5, 0.9771999716758728], [0.0, 0.0, 1.0])

    Reference:
        Kaiser, Bengio. Discrete autoencoders for sequence models. 2018. arXiv:1801.09797.
    """

    spec = base.Spec(
        exact_for="none",
        relaxed=True,
        noise="continuous",
        evaluations="1",
        min_samples=1,
        reductions=("mean", "log_mean_exp"),
        reference="Kaiser, Bengio 2018, arXiv:1801.09797",
        only=("bernoulli",),
    )

    def __init__(
        self,
        noise_stddev: ScheduleLike = 1.0,
        discrete_fraction: ScheduleLike = 0.5,
        flip_probability: ScheduleLike = 0.0,
        latents: str = "bernoulli",
        **kwargs: Any,
    ):
        super().__init__(latents=latents, **kwargs)
        self.noise_stddev = ScheduledVariable(noise_stddev, name="noise_stddev", positive=True)
        self.discrete_fraction = ScheduledVariable(discrete_fraction, name="discrete_fraction")
        self.flip_probability = ScheduledVariable(flip_probability, name="flip_probability")
        _check_range(self.discrete_fraction, "lie in [0, 1]", lambda value: 0 <= value <= 1)
        _check_range(self.flip_probability, "lie in [0, 0.5)", lambda value: 0 <= value < 0.5)
        schedule = self.flip_probability.schedule
        self._flips = not (isinstance(schedule, schedules.Constant) and schedule.value == 0)

    def distribution(self, logits: Tensor) -> Bernoulli:
        """The distribution of the code: Bernoulli(Phi(logit / noise_stddev)) where nothing is flipped."""
        logits = types.at_least_float32(logits)
        return Bernoulli(code_logits(logits, self.noise_stddev.value, self._flipped()))

    def _draw(self, seed: Seed, logits: tf.Tensor, num_samples: int | None) -> tf.Tensor:
        """Gaussian noise and the uniform noise that mixes, stacked on the last axis: [S, *B, N, 2]."""
        return draw_noise(seed, sampling.noise_shape(logits, num_samples), logits.dtype)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        gaussian, uniform = noise[..., 0], noise[..., 1]
        x = perturb(logits, gaussian, self.noise_stddev.value)
        flipped = self._flipped()
        value = mixed_bits(x, uniform, self.discrete_fraction.value, flipped)
        code = x > 0 if flipped is None else (x > 0) ^ (uniform < types.cast(flipped, x.dtype))
        return Sample(value, tf.cast(code, tf.int32))

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "noise_stddev": self.noise_stddev.get_config()["schedule"],
            "discrete_fraction": self.discrete_fraction.get_config()["schedule"],
            "flip_probability": self.flip_probability.get_config()["schedule"],
        }

    def _flipped(self) -> Tensor | None:
        """Returns the share of all elements that are flipped; None for none at any step."""
        if not self._flips:
            return None
        return self.discrete_fraction.value * self.flip_probability.value


def saturating_sigmoid(x: Tensor) -> tf.Tensor:
    """clip(1.2 sigmoid(x) - 0.1, 0, 1): a sigmoid that reaches 0 and 1 at finite x.

    Example:
        >>> saturating_sigmoid(tf.constant([-5.0, 0.0, 5.0])).numpy().tolist()
        [0.0, 0.5, 1.0]

    Reference:
        Kaiser, Bengio. Discrete autoencoders for sequence models. 2018. arXiv:1801.09797.
    """
    return tf.clip_by_value(1.2 * tf.sigmoid(x) - 0.1, 0.0, 1.0)


def draw_noise(seed: Seed, shape: Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns standard normal and uniform noise for elements of a shape, [*shape, 2]."""
    gaussian = tf.random.stateless_normal(
        shape, seeds.fold(seed, "noise"), dtype=dtype, alg=seeds.algorithm()
    )
    return tf.stack(
        [gaussian, noise_lib.open_uniform(seeds.fold(seed, "mix"), shape, dtype)], axis=-1
    )


def perturb(logits: tf.Tensor, gaussian: tf.Tensor, noise_stddev: Tensor) -> tf.Tensor:
    """logits + noise_stddev * gaussian."""
    return logits + types.cast(noise_stddev, logits.dtype) * gaussian


def mixed_bits(
    x: tf.Tensor, uniform: tf.Tensor, discrete_fraction: Tensor, flipped: Tensor | None = None
) -> tf.Tensor:
    """[x > 0] with the gradient of the saturating sigmoid where uniform < fraction; else that sigmoid.

    The bit, and its gradient, is flipped where uniform < flipped, a part of the fraction.
    """
    soft = saturating_sigmoid(x)
    hard = backward.straight_through(x > 0, soft)
    if flipped is not None:
        hard = tf.where(uniform < types.cast(flipped, x.dtype), 1.0 - hard, hard)
    return tf.where(uniform < types.cast(discrete_fraction, x.dtype), hard, soft)


def code_logits(
    logits: tf.Tensor, noise_stddev: Tensor, flipped: Tensor | None = None
) -> tf.Tensor:
    """Returns the log-odds of a 1 in the code.

    Without flips log Phi(x) - log Phi(-x) at x = logits / stddev. A share e of flipped bits makes them
    log((1 - e) Phi(x) + e Phi(-x)) - log((1 - e) Phi(-x) + e Phi(x)).
    Where x**2 would overflow, as for a logit of +-inf, the noise decides nothing: the result is the limit,
    without a gradient.
    """
    import tensorflow_probability as tfp  # here: it takes as long to load as the rest of the package

    x = logits / types.cast(noise_stddev, logits.dtype)
    certain = tf.abs(x) > _CERTAIN
    sign = tf.sign(x)
    x = tf.where(certain, tf.zeros_like(x), x)
    normal = tfp.distributions.Normal(tf.zeros([], x.dtype), tf.ones([], x.dtype))
    above, below = normal.log_cdf(x), normal.log_cdf(-x)
    if flipped is None:
        return tf.where(certain, sign * tf.cast(math.inf, x.dtype), above - below)
    flipped = types.cast(flipped, x.dtype)
    kept, turned = tf.math.log1p(-flipped), tf.math.log(flipped)
    one, other = (
        tf.reduce_logsumexp(tf.stack([kept + a, turned + b]), axis=0)
        for a, b in ((above, below), (below, above))
    )
    return tf.where(certain, sign * (kept - turned), one - other)


def _check_range(scheduled: ScheduledVariable, rule: str, holds: Callable[[float], bool]) -> None:
    for value in (float(scheduled.schedule(step)) for step in (0, _FAR)):
        if not holds(value):
            raise ValueError(
                f"{scheduled.name} must {rule} at every step. Give a number or a schedule that "
                f"stays there. Received: {scheduled.name}={value}"
            )
