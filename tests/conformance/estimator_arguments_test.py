"""A wrong value of any argument of any estimator is refused, and the message says what came."""

import inspect
import re

import pytest

from tf_discrete import estimators
from tf_discrete.estimators import baselines
from tf_discrete.estimators.moving_moments import MovingMoments

NAN = float("nan")
POSITIVE = [0.0, -1.0, NAN, float("inf"), "hot", None, True, [1.0], {}]
NUMBER = [NAN, float("inf"), "large", None, True, [1.0], {}]
COUNT = [0, -1, 1.5, "two", None, True]
SHARE = [1.0, -0.1, NAN, "half", None, True]
FLAG = [0, 1, "yes", None]
CHOICE = ["neither", None, 3, ["joint"]]
WIDTHS = [(0,), (1.5,), "ab", 7, None, (True,)]
WRONG = {
    "latents": ["ternary", None, 3, ["bernoulli"]],
    "temperature": POSITIVE,
    "forward_temperature": POSITIVE,
    "noise_stddev": POSITIVE,
    "sharpness": [*POSITIVE, 51.0],
    "ess_target": [0.0, 1.0, *NUMBER],
    "entropy_weight": POSITIVE,
    "initial_eta": POSITIVE,
    "noise_level": [0.0, 1.0, *NUMBER],
    "lower": [0.0, 0.5, *NUMBER],
    "upper": [1.0, 0.5, *NUMBER],
    "slope": [value for value in POSITIVE if value is not None],
    "scale": NUMBER,
    "discrete_fraction": [-0.1, 1.1, *NUMBER],
    "flip_probability": [-0.1, 0.5, *NUMBER],
    "gap": [-1.0, *NUMBER],
    "num_conditional": COUNT,
    "num_summed": COUNT,
    "max_configurations": COUNT,
    "decay": SHARE,
    "learning_rate_factor": POSITIVE,
    "num_coupled": [1, *COUNT],
    "learn_temperature": FLAG,
    "learn_scale": FLAG,
    "objective_control": FLAG,
    "variance_normalization": FLAG,
    "moving_average": FLAG,
    "coupling": CHOICE,
    "replacement": CHOICE,
    "mode": CHOICE,
    "relaxation": CHOICE,
    "hidden_units": WIDTHS,
    "baseline": ["constant", None, True, NAN, [1.0], {}],
    "value": NUMBER,
}
CASES = [
    (name, argument)
    for name in estimators.names()
    for argument in estimators.arguments(estimators.get_class(name))
]


def wrong_values(cls, argument):
    """Of an argument that is not listed above, what its default says is wrong."""
    if argument in WRONG:
        return WRONG[argument]
    default = inspect.signature(cls).parameters[argument].default
    by_type = {bool: FLAG, int: COUNT, float: NUMBER, str: CHOICE}
    assert type(default) in by_type, f"list wrong values of {argument} in {__name__}.WRONG"
    return by_type[type(default)]


def assert_refused(cls, make, argument):
    """Every wrong value raises, and the message ends with the argument and what came."""
    for value in wrong_values(cls, argument):
        with pytest.raises((ValueError, TypeError), match=r"(?s)\S.*Received: ") as error:
            make(value)
        received = str(error.value).split("Received: ")[-1]
        assert re.search(rf"\b{argument}=", received), f"{argument}={value!r}: {error.value}"


@pytest.mark.parametrize("name,argument", CASES, ids=["-".join(case) for case in CASES])
def test_a_wrong_value_is_refused(name, argument):
    cls = estimators.get_class(name)
    latents = {} if argument == "latents" else {"latents": cls.spec.supports[0]}
    assert_refused(cls, lambda value: cls(**{argument: value}, **latents), argument)


@pytest.mark.parametrize(
    "cls,argument",
    [
        (baselines.Constant, "value"),
        (baselines.LeaveOneOut, "replacement"),
        (baselines.MovingAverage, "decay"),
        (baselines.Learned, "hidden_units"),
        (baselines.Learned, "moving_average"),
        (baselines.Learned, "decay"),
        (baselines.Learned, "learning_rate_factor"),
        (MovingMoments, "decay"),
    ],
)
def test_a_wrong_value_of_a_baseline_is_refused(cls, argument):
    assert_refused(cls, lambda value: cls(**{argument: value}), argument)
