"""Every field of `Spec` is held by a test in both directions; exactness has a module of its own."""

import re

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tests.conformance import estimator_cases as conformance
from tests.estimators import problems
from tf_discrete import distributions, estimators, seeds
from tf_discrete.estimators import spec as spec_lib
from trainers.common import latents as trainer_latents
from trainers.flags import latents as latent_flags

HELD = {
    "exact_for": "exactness_test",
    "exact_for_kind": "exactness_test",
    "exact_temperatures": "exactness_test",
    "relaxed": "declarations_test",
    "noise": "declarations_test",
    "evaluations": "declarations_test",
    "min_samples": "estimators_test",
    "reductions": "declarations_test",
    "reference": "declarations_test",
    "draws": "declarations_test",
    "density": "declarations_test",
    "interface": "third_kind_test",
    "only": "estimators_test",
    "annealed": "declarations_test",
    "relaxed_control": "declarations_test",
}
"""The module of tests/conformance that holds each field."""


def test_every_field_is_held():
    assert set(spec_lib.Spec._fields) == set(HELD)


def asked(estimator, num_samples):
    """The values of z that an objective is asked about, and the estimate."""
    logits = problems.generic_logits(estimator.latents, tf.float32)
    f, seen = problems.objective("network", estimator.latents, tf.float32), []

    def objective_fn(z):
        seen.append(z)
        return f(z)

    noise = estimator.draw_noise(seeds.base(0), logits, num_samples)
    return seen, estimator.estimate(objective_fn, logits, noise), f, noise


@conformance.every_case
def test_relaxed(name, latents):
    """The first z is a configuration exactly where nothing is relaxed."""
    estimator = conformance.get(name, latents)
    z = asked(estimator, max(20, estimator.min_samples))[0][0].numpy()
    assert bool(np.isin(z, [0.0, 1.0]).all()) != estimator.spec.relaxed


@conformance.cases(lambda spec: not spec.relaxed)
def test_relaxed_control(name, latents):
    """Relaxed values are asked about exactly by control variates that say so, or by a mean-field pass."""
    estimator = conformance.get(name, latents)
    seen = asked(estimator, max(2, estimator.min_samples))[0]
    relaxed = not all(np.isin(z.numpy(), [0.0, 1.0]).all() for z in seen)
    assert relaxed == (estimator.relaxed_control or estimator.mean_field_control)
    assert estimator.relaxed_control == estimator.spec.relaxed_control


def test_relax_without_the_objective_has_no_relaxed_control():
    estimator = estimators.RELAX(objective_control=False)
    assert not estimator.relaxed_control
    assert all(np.isin(z.numpy(), [0.0, 1.0]).all() for z in asked(estimator, 2)[0])


@conformance.every_case
def test_noise(name, latents):
    """Discrete noise is a configuration, no noise is one for all seeds, all else is continuous."""
    estimator = conformance.get(name, latents)
    logits = problems.generic_logits(latents)
    noise, other = (
        estimator.draw_noise(seeds.base(seed), logits, estimator.min_samples) for seed in (0, 1)
    )
    if np.array_equal(noise, other):
        found = "none"
    else:
        shape = [estimator.min_samples, *logits.shape]
        is_code = noise.shape == shape and np.isin(noise, [0.0, 1.0]).all()
        found = "discrete" if is_code else "continuous"
    assert found == estimator.spec.noise


def count(formula, **sizes):
    """The number that a formula such as "1 + N(K-1); per variable ..." stands for."""
    text = re.sub(r"(?<=[\w)])\s*(?=\()|(?<=\w)\s+(?=\w)", "*", formula.split(";")[0])
    assert re.fullmatch(r"[\dNKSk+*/() -]+", text), formula
    return eval(text, {"__builtins__": {}}, sizes)


@conformance.every_case
def test_evaluations(name, latents):
    estimator = conformance.get(name, latents)
    samples = estimator.min_samples
    seen = asked(estimator, samples)[0]
    examples = problems.generic_logits(latents).shape[0]
    rows = sum(int(np.prod(z.shape[: z.shape.rank - estimator.event_rank])) for z in seen)
    declared = count(
        estimator.spec.evaluations,
        N=problems.NUM_VARIABLES,
        K=problems.NUM_CATEGORIES if latents == "categorical" else 2,
        S=samples,
        k=getattr(estimator, "num_summed", None),
    )
    assert rows / (examples * samples) == declared


@conformance.every_case
def test_declared_reductions_are_taken(name, latents):
    """Those that are not declared are refused, see estimators_test."""
    estimator = conformance.get(name, latents)
    logits = problems.generic_logits(latents)
    f = problems.objective("network", latents)
    noise = estimator.draw_noise(seeds.base(0), logits, max(2, estimator.min_samples))
    for reduction in estimator.spec.reductions:
        reduce = getattr(estimators, reduction)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = estimator.estimate(f, logits, noise, reduce=reduce).value
        assert np.isfinite(value).all() and np.isfinite(tape.gradient(value, logits)).all()


@pytest.mark.parametrize("name", conformance.ALL)
def test_the_reference_is_that_of_the_docstring(name):
    cls = estimators.get_class(name)
    identifiers = re.findall(r"arXiv:[\d.]+\d", cls.spec.reference)
    doc = cls.__doc__.split("Reference:")[-1]
    assert all(identifier in doc for identifier in identifiers)
    years = re.findall(r"\b(?:19|20)\d\d\b", cls.spec.reference)
    assert all(year in doc for year in years)
    assert identifiers or years or cls.spec.noise == "none"  # Enumeration has no paper.


@conformance.cases(lambda spec: not spec.relaxed and spec.noise != "none")
def test_draws(name, latents):
    """The value of a sample is the mean of f over its draws; of 0 draws it is no such mean."""
    estimator = conformance.get(name, latents)
    seen, estimate, f, _ = asked(estimator, 3)
    found = [
        draws
        for draws in range(1, min(4, len(seen)) + 1)
        if all(z.shape[0] == 3 for z in seen[:draws])
        and np.allclose(estimate.value, estimators.mean(sum(map(f, seen[:draws])) / draws))
    ]
    assert found == ([estimator.spec.draws] if estimator.spec.draws else [])


PATHWISE = [case for case in conformance.CASES if case[0] in estimators.names("pathwise")]


@pytest.mark.parametrize("name,latents", PATHWISE, ids=["-".join(case) for case in PATHWISE])
def test_density(name, latents):
    """A relaxed sample has a density in log space exactly where that is declared: the right one.

    Under samples of a density p, the mean of p'(x) / p(x) is 1 for every other density p'. It is not under
    samples of another temperature or other logits.
    """
    estimator = conformance.get(name, latents)
    logits = problems.generic_logits(latents, tf.float32, batch=1)[0]
    noise = estimator.draw_noise(seeds.base(0), logits, 40_000)
    log_value = estimator.sample(logits, noise).log_value
    assert (log_value is not None) == estimator.spec.density
    if log_value is None:
        return
    kind, temperature = distributions.get_relaxable(latents), estimator.temperature.value
    np.testing.assert_allclose(
        kind.to_simplex(log_value), estimator.sample(logits, noise).value, rtol=1e-6
    )

    def z_score(scale):
        """Of the mean ratio, had the temperature been another."""
        log_p, log_other = (
            kind(at).relaxed_log_prob(log_value, scale * temperature)
            for at in (logits, logits + 0.3 * tf.sin(10.0 * logits))
        )
        ratio = np.exp(log_other - log_p)
        return abs(ratio.mean() - 1.0) / (ratio.std() / np.sqrt(len(ratio)))

    critical = scipy.stats.norm.isf(1e-6)
    assert z_score(1.0) < critical < z_score(1.2)


@pytest.mark.parametrize("name", conformance.ALL)
def test_annealed(name):
    """The trainers lower the temperature of those alone that say so."""
    cls = estimators.get_class(name)
    config = latent_flags.LatentConfig(estimator=name, latents=cls.spec.supports[0])
    schedule = trainer_latents.make_temperature(config, 20_000)
    assert (schedule is not None) == cls.spec.annealed
    if cls.spec.annealed:
        assert schedule(0) > schedule(20_000)
