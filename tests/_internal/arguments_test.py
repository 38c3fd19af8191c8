import pytest

from tf_discrete import estimators, layers, schedules
from tf_discrete._internal import arguments


def test_temperature_is_passed_to_a_named_estimator():
    schedule = schedules.Linear(1.0, 0.5, steps=10)
    estimator = arguments.pathwise_estimator("reinmax", "categorical", schedule)
    assert estimator.temperature.schedule is schedule


@pytest.mark.parametrize("temperature", [0.0, -1.0, schedules.Linear(1.0, 0.0, steps=10)])
@pytest.mark.parametrize(
    "make", [layers.StochasticLayer, layers.GumbelSoftmax, layers.StraightThrough]
)
def test_refuses_a_temperature_that_is_not_positive(make, temperature):
    with pytest.raises(ValueError, match=r"temperature must be positive.*Received: temperature="):
        make(temperature=temperature)


def test_refuses_a_temperature_beside_an_estimator_object():
    with pytest.raises(ValueError, match="set it in your estimator object.*temperature=0.5"):
        layers.StochasticLayer(estimators.ReinMax(), temperature=0.5)


def test_refuses_a_temperature_where_there_is_none():
    class Cold(estimators.StraightThrough):
        def __init__(self, latents="categorical"):
            super().__init__(latents=latents)

    with pytest.raises(ValueError, match="Cold has no temperature.*Received: temperature=0.5"):
        arguments.pathwise_estimator(Cold, "categorical", 0.5)


def test_refuses_other_latents_than_the_estimators():
    message = "latents='bernoulli', estimator.latents='categorical'"
    with pytest.raises(ValueError, match=message):
        layers.StochasticLayer(estimators.ReinMax(), latents="bernoulli")
    with pytest.raises(ValueError, match="latents must be one of.*latents='ternary'"):
        layers.GumbelSoftmax(latents="ternary")


def test_refuses_an_unknown_estimator():
    with pytest.raises(ValueError, match="Did you mean 'reinmax'.*estimator='reinmx'"):
        layers.StochasticLayer("reinmx")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"inference": "soft"}, "inference must be one of mode, draw, mean. Received: .*'soft'"),
        ({"prior": "flat"}, "prior must be one of uniform, learned. Received: prior='flat'"),
        ({"prior": "learned"}, "A learned prior is trained by the KL. .*kl_weight=None"),
        ({"kl_weight": -0.5}, "kl_weight must not be negative .*Received: kl_weight=-0.5"),
    ],
)
def test_refuses_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        layers.StochasticLayer(**options)
