"""Mean, spread and bias of sampled gradients, as vectors: what a probe of a model's gradient reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tf_discrete._internal import checks

_TINY = np.finfo(np.float64).tiny


class Moments(NamedTuple):
    """Mean and variance of a gradient, all weights in one vector of P.

    Attributes:
        mean: float64 [P].
        variance: float64 [P], of one sample.
        num_gradients: how many went in.
    """

    mean: np.ndarray
    variance: np.ndarray
    num_gradients: int


class Reference(NamedTuple):
    """The gradient that estimates are compared with.

    Attributes:
        gradient: float64 [P], all weights in one vector.
        variance: float64 [P], of `gradient`; 0 where it is exact.
        exact: Bool, whether it was enumerated.
    """

    gradient: np.ndarray
    variance: np.ndarray
    exact: bool


class LayerStatistics(NamedTuple):
    """Statistics of the gradient of some layers' weights; norms and variances are sums over the weights.

    Attributes:
        norm: Norm of the mean gradient, its noise taken off.
        variance: Variance of one sample, the trace of its covariance.
        signal_to_noise: norm over the square root of the variance. None where nothing varies.
        cosine: Cosine of the angle between a sample and the reference, on average. None without one.
        mean_cosine: Cosine of the angle between the mean and the reference: that of the bias, whatever its
            length. None without a reference.
        relative_bias: norm of (mean - reference) over that of the reference, the noise of both taken
            off; 0 where noise explains all of it. None without a reference.
        bias_noise: what the noise alone makes of the same ratio. None without a reference.
    """

    norm: float
    variance: float
    signal_to_noise: float | None
    cosine: float | None
    mean_cosine: float | None
    relative_bias: float | None
    bias_noise: float | None


def pooled_reference(moments: Sequence[Moments]) -> Reference:
    """Returns the average of several unbiased estimators, each weighed by how sure it is.

    Args:
        moments: Moments of each, from independent samples.

    Example:
        >>> one = Moments(np.array([1.0]), np.array([2.0]), 2)
        >>> other = Moments(np.array([4.0]), np.array([4.0]), 8)
        >>> pooled = pooled_reference([one, other])
        >>> pooled.gradient.tolist(), pooled.variance.round(4).tolist()
        ([3.0], [0.3333])
    """
    weights = np.array([m.num_gradients / max(m.variance.sum(), _TINY) for m in moments])
    weights /= weights.sum()
    gradient = sum(w * m.mean for w, m in zip(weights, moments, strict=True))
    variance = sum(
        w**2 * m.variance / m.num_gradients for w, m in zip(weights, moments, strict=True)
    )
    return Reference(np.asarray(gradient), np.asarray(variance), False)


class RunningMoments:
    """Running mean and variance of vectors (Welford).

    Args:
        num_gradients: how many vectors will come, at least 2.

    Raises:
        ValueError: fewer than 2 vectors, of which there is no variance.
    """

    def __init__(self, num_gradients: int):
        checks.whole("num_gradients", num_gradients, lowest=2)
        self._count = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0

    def add(self, value: np.ndarray) -> None:
        self._count += 1
        difference = value - self._mean
        self._mean = self._mean + difference / self._count
        self._squares = self._squares + difference * (value - self._mean)

    @property
    def moments(self) -> Moments:
        return Moments(self._mean, self._squares / (self._count - 1), self._count)


def layer_statistics(
    parts: dict[str, float], products: Sequence[tuple[float, float]]
) -> LayerStatistics:
    """Returns statistics of some layers' gradient from sums over their weights.

    Args:
        parts: sums of `squares` of the mean gradient, of its `noise` and of the `variance` of one sample;
            with a reference also products of the mean with it (`along`), squares of what the mean is
            `off`, and squares and variance of the `reference` and its noise (`reference_noise`).
        products: of each sample with the reference, and the sample's own square.
    """
    norm = math.sqrt(max(parts["squares"] - parts["noise"], 0.0))
    cosine = mean_cosine = relative_bias = bias_noise = None
    if "reference" in parts:
        noise = parts["noise"] + parts["reference_noise"]
        length = math.sqrt(max(parts["reference"] - parts["reference_noise"], _TINY))
        relative_bias = math.sqrt(max(parts["off"] - noise, 0.0)) / length
        bias_noise = math.sqrt(noise) / length
        whole = math.sqrt(max(parts["reference"], _TINY))
        cosine = float(np.mean([d / (whole * math.sqrt(max(s, _TINY))) for d, s in products]))
        mean_cosine = float(parts["along"] / max(length * norm, _TINY))
        mean_cosine = max(-1.0, min(1.0, mean_cosine)) if norm else 0.0
    return LayerStatistics(
        norm,
        float(parts["variance"]),
        norm / math.sqrt(parts["variance"]) if parts["variance"] > 0 else None,
        cosine,
        mean_cosine,
        relative_bias,
        bias_noise,
    )
