"""The registered estimators as cases of the conformance tests."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, seeds

ALL = estimators.names()
CASES = [
    (name, latents)
    for latents in ("categorical", "bernoulli")
    for name in estimators.names(latents=latents)
]
NUM_DRAWS = 20_000
every_case = pytest.mark.parametrize("name,latents", CASES, ids=["-".join(case) for case in CASES])


def takes_temperature(name):
    return "temperature" in inspect.signature(estimators.get_class(name).__init__).parameters


def spec(name):
    return estimators.get_class(name).spec


def cases(condition):
    """Parametrises over the cases whose spec meets a condition."""
    chosen = [case for case in CASES if condition(spec(case[0]))]
    return pytest.mark.parametrize("name,latents", chosen, ids=["-".join(case) for case in chosen])


def temperature_cases(condition, temperatures):
    """The same with temperatures; None for an estimator that has no temperature."""
    chosen = [
        (*case, temperature)
        for case in CASES
        for temperature in (temperatures if takes_temperature(case[0]) else [None])
        if condition(spec(case[0]))
    ]
    ids = ["-".join(map(str, case)) for case in chosen]
    return pytest.mark.parametrize("name,latents,temperature", chosen, ids=ids)


def get(name, latents, temperature=None):
    arguments = {} if temperature is None else {"temperature": temperature}
    return estimators.get(name, latents=latents, **arguments)


def enumerable(spec):
    return spec.noise != "continuous"


class Recorder:
    """An objective that remembers the first z it was asked about."""

    def __init__(self, objective_fn):
        self.objective_fn, self.z = objective_fn, None

    def __call__(self, z):
        self.z = z if self.z is None else self.z
        return self.objective_fn(z)


def value_and_gradient(estimator, objective_fn, logits, seed=0, num_samples=None):
    """An estimate drawn from a seed, and its gradient for the logits."""
    samples = estimator.spec.min_samples if num_samples is None else num_samples
    with tf.GradientTape() as tape:
        tape.watch(logits)
        noise = estimator.draw_noise(seeds.base(seed), logits, samples)
        value = estimator.estimate(objective_fn, logits, noise).value
    return value, tape.gradient(value, logits)


def extreme_logits(latents):
    """+-50, masked, equal, two categories that differ by 1e-4, and one with all the mass."""
    rows = [[50.0, -50.0, 0.0], [0.0, 0.0, 0.0], [1e-4, 0.0, -50.0], [0.3, -np.inf, -0.2]]
    rows.append([0.0, -np.inf, -np.inf])
    if latents == "bernoulli":
        rows[3][1] = rows[4][1] = -80.0
        return tf.constant([row[:2] for row in rows])
    return tf.constant([[row, row[::-1]] for row in rows])
