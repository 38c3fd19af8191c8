"""NVIL: the direction is unbiased in every state, and its variance falls as it learns."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, problems
from tf_discrete import estimators
from tf_discrete.estimators import diagnostics


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_unbiased_up_to_the_running_deviation(latents):
    estimator = estimators.get("nvil", latents=latents)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    diagnostics.expected_gradient(estimator, f, logits)  # Makes the weights.
    for average in (estimator.baseline, estimator.spread):
        average.update(tf.constant([[-5.0, 9.0]]))
    scale = float(tf.sqrt(estimator.spread.variance))
    assert scale == pytest.approx(7.0)
    result = diagnostics.expected_gradient(estimator, f, logits)
    truth = diagnostics.exact_gradient(f, logits, latents)
    np.testing.assert_allclose(scale * result.gradient, truth.gradient, atol=1e-6)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_variance_against_no_baseline_over_200_steps(latents):
    problem = learning.Problem(latents)
    estimator = estimators.get("nvil", latents=latents)
    losses = learning.train(estimator, problem)
    scale = max(1.0, float(tf.sqrt(estimator.spread.variance)))
    plain = estimators.get("score_function", latents=latents, baseline="none")
    average = estimators.get("score_function", latents=latents, baseline="moving_average")
    learning.train(average, problem)
    ours = learning.gradients(estimator, problem, scale=scale)
    for name, other in (("none", plain), ("moving average", average)):
        ratio, low, high = learning.variance_ratio(ours, learning.gradients(other, problem))
        print(f"against {name}: {ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
        assert high < 0.8
    assert losses[-20:].mean() < losses[:5].mean()


def test_config_names_its_own_arguments_only():
    estimator = estimators.get("nvil", hidden_units=(7, 5), decay=0.5)
    again = estimators.deserialize(json.loads(json.dumps(estimators.serialize(estimator))))
    assert again.baseline.hidden_units == (7, 5) and again.decay == 0.5
    assert again.baseline.moments.decay == again.spread.decay == 0.5
