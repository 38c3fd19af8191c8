"""Every registered estimator is exact for what it declares, and biased for what it does not."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import bias
from tests.conformance import estimator_cases as conformance
from tests.estimators import problems
from tf_discrete.estimators import diagnostics

TEMPERATURES = (0.5, 1.0, 2.0)


def declared_cases(condition):
    """Parametrises over the objectives that a declaration speaks of: up to one degree above it."""
    chosen = [
        (*case, objective)
        for case in conformance.CASES
        for objective, degree in problems.OBJECTIVES.items()
        if condition(conformance.spec(case[0]))
        and degree <= problems.DEGREES[conformance.spec(case[0]).exactness(case[1])] + 1
    ]
    ids = ["-".join(case) for case in chosen]
    return pytest.mark.parametrize("name,latents,objective", chosen, ids=ids)


@functools.cache
def exact(objective, latents):
    logits = problems.generic_logits(latents)
    return diagnostics.exact_gradient(problems.objective(objective, latents), logits, latents)


def errors(estimator, objective):
    """Largest errors of the expected gradient, by enumeration."""
    latents = estimator.latents
    result = diagnostics.expected_gradient(
        estimator, problems.objective(objective, latents), problems.generic_logits(latents)
    )
    np.testing.assert_allclose(result.value, exact(objective, latents).value, atol=1e-9)
    return np.abs(result.gradient - exact(objective, latents).gradient).max(axis=-1)


@declared_cases(conformance.enumerable)
def test_declared_exactness_by_enumeration(name, latents, objective):
    """Exact up to the declared degree, to rounding; not exact one degree above it."""
    declared = problems.DEGREES[conformance.spec(name).exactness(latents)]
    estimator = conformance.get(name, latents)
    error = errors(estimator, objective)
    if problems.OBJECTIVES[objective] <= declared:
        assert error.max() < problems.rounding(estimator)
    else:
        assert error.min() > 1e-3, "declared biased, yet exact: the declaration is too modest"


WITH_TEMPERATURE = [
    case
    for case in conformance.CASES
    if conformance.takes_temperature(case[0])
    and conformance.enumerable(conformance.spec(case[0]))
    and conformance.spec(case[0]).exactness(case[1]) != "none"
]


@pytest.mark.parametrize(
    "name,latents", WITH_TEMPERATURE, ids=["-".join(case) for case in WITH_TEMPERATURE]
)
def test_declared_temperatures_by_enumeration(name, latents):
    """Exact at any temperature, or at the default one alone."""
    declared = problems.DEGREES[conformance.spec(name).exactness(latents)]
    objective = [key for key, degree in problems.OBJECTIVES.items() if degree <= declared][-1]
    worst = max(
        errors(conformance.get(name, latents, temperature), objective).max()
        for temperature in TEMPERATURES
    )
    if conformance.spec(name).exact_temperatures == "any":
        assert worst < problems.rounding(conformance.get(name, latents))
    else:
        assert worst > 1e-3, "exact at every temperature: the declaration is too modest"


@conformance.cases(lambda spec: conformance.enumerable(spec) and spec.exact_for != "none")
def test_declared_exactness_in_float32(name, latents):
    declared = problems.DEGREES[conformance.spec(name).exactness(latents)]
    objective = [key for key, degree in problems.OBJECTIVES.items() if degree <= declared][-1]
    result = diagnostics.expected_gradient(
        conformance.get(name, latents),
        problems.objective(objective, latents, tf.float32),
        problems.generic_logits(latents, tf.float32),
    )
    assert result.gradient.dtype == tf.float32
    truth = exact(objective, latents).gradient.numpy()
    assert np.abs(result.gradient.numpy() - truth).max() < 1e-5 * max(1.0, np.abs(truth).max())


def maker(name, latents):
    return lambda temperature: conformance.get(name, latents, temperature)


def temperatures(name, tried):
    return tried if conformance.takes_temperature(name) else [None]


def _by_samples():
    """Of REBAR and RELAX, bits are integrated exactly in tests/estimators/rebar_test.py."""
    for name, latents in conformance.CASES:
        if not conformance.enumerable(conformance.spec(name)):
            again = latents == "bernoulli" and name in ("rebar", "relax")
            yield pytest.param(name, latents, marks=[pytest.mark.slow] if again else [])


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name,latents", list(_by_samples()))
def test_declared_exactness_by_samples(name, latents):
    """Decided at 1 % of the gradient; see tests/conformance/bias.py."""
    bias.check_declaration(maker(name, latents), temperatures(name, TEMPERATURES))


@pytest.mark.slow
@conformance.cases(lambda spec: not conformance.enumerable(spec))
def test_declared_exactness_by_samples_at_more_points(name, latents):
    bias.check_declaration(
        maker(name, latents),
        temperatures(name, (0.2, *TEMPERATURES, 5.0)),
        num_examples=3,
    )
