"""What every estimator checks and is, whatever its own arguments."""

import pytest

from tf_discrete import estimators


@pytest.mark.parametrize("latents", ["ternary", None])
def test_unknown_latents(latents):
    with pytest.raises(ValueError, match="latents must be one of.*Received: latents="):
        estimators.GumbelSoftmax(latents=latents)


def test_latents_that_an_estimator_does_not_support():
    class BitsOnly(estimators.ScoreFunction):
        spec = estimators.ScoreFunction.spec._replace(only=("bernoulli",))

    assert BitsOnly(latents="bernoulli").event_rank == 1
    with pytest.raises(ValueError, match="BitsOnly supports bernoulli latents only.*'categorical'"):
        BitsOnly()


def test_estimators_are_float32_layers_whatever_the_policy():
    estimator = estimators.GumbelSoftmax(dtype="mixed_float16")
    assert estimator.compute_dtype == "float32" and "dtype" not in estimator.get_config()
    assert estimator.trainable_variables == []
