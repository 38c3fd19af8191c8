"""Moments of drawn gradients against NumPy, and the pooled reference by hand."""

import numpy as np
import pytest

from tf_discrete import evaluation
from tf_discrete.evaluation import gradient_statistics
from tf_discrete.evaluation.gradient_statistics import Moments


def test_running_moments_are_those_of_all_draws():
    draws = 1e4 + np.random.RandomState(0).normal(size=[50, 7])
    running = gradient_statistics.RunningMoments(50)
    for draw in draws:
        running.add(draw)
    mean, variance, count = running.moments
    np.testing.assert_allclose(mean, draws.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(variance, draws.var(axis=0, ddof=1), rtol=1e-9)
    assert count == 50


def test_pooling_weighs_by_precision():
    noisy = Moments(np.array([10.0]), np.array([1e6]), 100)
    sure = Moments(np.array([1.0]), np.array([1.0]), 100)
    pooled = evaluation.pooled_reference([noisy, sure])
    assert pooled.gradient[0] == pytest.approx(1.0, abs=1e-4)
    assert pooled.variance[0] == pytest.approx(0.01, rel=1e-4)
