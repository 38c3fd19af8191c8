"""The pictures of the documents: that they are drawn from the estimators, small versions of each."""

import numpy as np
import pytest

from tf_discrete import estimators
from tools import pictures, toy_problem


def test_the_relaxation_has_a_panel_for_each_temperature():
    figure = pictures.relaxation(temperatures=(0.1, 5.0), draws=50)
    spread = [np.asarray(axes.collections[0].get_offsets()).std() for axes in figure.axes]
    assert len(spread) == 2 and spread[0] > 2 * spread[1]


@pytest.mark.slow
def test_fewer_codes_stay_between_the_extremes_with_noise():
    titles = [axes.get_title("left") for axes in pictures.hashing_noise(steps=(0, 150)).axes]
    between = [float(title.split(": ")[1].split("%")[0]) for title in titles]
    assert between[0] > 90 and between[3] < between[1] < between[0]


def test_both_ways_to_draw_have_the_same_frequencies():
    bars = [bar.get_height() for bar in pictures.two_ways_to_draw().axes[2].patches]
    np.testing.assert_allclose(bars, [0.5, 0.3, 0.2] * 3, atol=0.005)


def test_the_worked_gradient_by_hand():
    axes = pictures.straight_through_step().axes
    p, draw, upstream, gradient, mean, exact = (
        np.array([bar.get_height() for bar in each.patches]) for each in axes
    )
    target = np.array([0.2, 0.9, 0.4])
    np.testing.assert_allclose(upstream, 3 * (draw - target) ** 2, rtol=1e-5)
    np.testing.assert_allclose(gradient, p * (upstream - p @ upstream), rtol=1e-4)
    values = ((np.eye(3) - target) ** 3).sum(axis=1)
    np.testing.assert_allclose(exact, p * (values - p @ values), rtol=1e-4)
    slopes = np.stack([3 * (one - target) ** 2 for one in np.eye(3)])
    np.testing.assert_allclose(mean, p @ (p * (slopes - (slopes @ p)[:, None])), rtol=1e-4)


@pytest.mark.parametrize("latents", toy_problem.LATENTS)
def test_the_toy_problem_is_solved_by_enumeration_without_variance(latents):
    curve = toy_problem.train("enumeration", latents, 0.45, 3, steps=200, points=2, draws=10)
    assert curve.steps.tolist() == [0, 100, 200]
    assert curve.loss[2] < curve.loss[1] < curve.loss[0] and curve.variance.max() < 1e-12


@pytest.mark.slow
def test_the_variance_of_the_toy_problem_in_closed_form():
    """Score function, 2 samples, a fair bit: a gradient of (1 - 2 t) / 2 where the bits differ, else 0."""
    curve = toy_problem.train("score_function", "bernoulli", 0.2, steps=1, points=1, draws=20_000)
    assert curve.loss[0] == pytest.approx(0.5 * 0.8**2 + 0.5 * 0.2**2)
    assert curve.variance[0] == pytest.approx((1 - 2 * 0.2) ** 2 / 16, rel=0.05)
    assert curve.evaluations == 2


def test_the_toy_picture_shows_every_estimator_of_a_family():
    def train(name, latents, target):
        return toy_problem.Curve(np.arange(3), np.ones(3), np.ones(3), 1)

    for family in ("pathwise", "score"):
        (legend,) = pictures.toy(family, train=train).legends
        shown = {text.get_text().split(" ")[0] for text in legend.get_texts()}
        assert shown == {*estimators.names(family), "enumeration"}
