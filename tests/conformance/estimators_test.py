"""Every registered estimator against what it declares. A new one is tested with no further code."""

import inspect
import json

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tests.estimators import problems
from tf_discrete import estimators, objectives, seeds
from tf_discrete.estimators import diagnostics

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


# Declarations and configuration.


@pytest.mark.parametrize("name", ALL)
def test_default_construction_and_spec(name):
    cls = estimators.get_class(name)
    estimator = cls() if "categorical" in cls.spec.supports else cls(latents=cls.spec.supports[0])
    assert estimator.family in ("pathwise", "score")
    assert isinstance(estimator, estimators.PathwiseEstimator) == (estimator.family == "pathwise")
    for latents in estimator.spec.supports:
        assert estimator.spec.exactness(latents) in problems.DEGREES
    assert estimator.spec.noise in ("discrete", "continuous", "none")
    assert estimator.spec.min_samples >= 1
    assert set(estimator.spec.reductions) <= {"mean", "log_mean_exp"}
    assert estimator.spec.evaluations and estimator.spec.reference


@every_case
def test_config_round_trip(name, latents):
    estimator = get(name, latents, 0.7 if takes_temperature(name) else None)
    config = estimators.serialize(estimator)
    text = json.dumps(config, sort_keys=True)
    again = estimators.deserialize(json.loads(text))
    parameters = inspect.signature(type(estimator).__init__).parameters
    assert set(parameters) - {"self", "kwargs"} <= set(estimator.get_config())
    assert type(again) is type(estimator) and again.latents == latents
    assert json.dumps(estimators.serialize(again), sort_keys=True) == text
    if takes_temperature(name):
        assert float(again.temperature.value) == pytest.approx(0.7)


@pytest.mark.parametrize("name", ALL)
def test_unsupported_latents_are_refused(name):
    with pytest.raises(ValueError, match="latents must be one of .*Received: latents='ternary'"):
        get(name, "ternary")
    for latents in {"categorical", "bernoulli"} - set(spec(name).supports):
        with pytest.raises(ValueError, match=f"latents only.*Received: latents='{latents}'"):
            get(name, latents)


@pytest.mark.parametrize("name", [name for name in ALL if takes_temperature(name)])
@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperatures_that_are_not_positive_are_refused(name, temperature):
    latents = spec(name).supports[0]
    with pytest.raises(
        ValueError, match=f"temperature must be (positive|a finite).*temperature={temperature}"
    ):
        get(name, latents, temperature)


@cases(lambda spec: spec.min_samples > 1)
def test_too_few_samples_are_refused(name, latents):
    estimator = get(name, latents)
    logits = problems.generic_logits(latents)
    fewest = estimator.spec.min_samples
    message = f"needs at least {fewest} samples.*Received: num_samples={fewest - 1}"
    with pytest.raises(ValueError, match=message):
        estimator.draw_noise(seeds.base(0), logits, fewest - 1)
    noise = estimator.draw_noise(seeds.base(0), logits, fewest)
    with pytest.raises(ValueError, match=message):
        estimator.estimate(problems.objective("linear", latents), logits, noise[: fewest - 1])


@every_case
def test_reductions_that_are_not_declared_are_refused(name, latents):
    estimator = get(name, latents)
    logits = problems.generic_logits(latents)
    noise = estimator.draw_noise(seeds.base(0), logits, 2)

    def maximum(values):
        return tf.reduce_max(values, axis=0)

    undeclared = [maximum]
    if "log_mean_exp" not in estimator.spec.reductions:
        undeclared.append(estimators.log_mean_exp)
    for reduce in undeclared:
        with pytest.raises(ValueError, match=f"takes the reductions .*reduce={reduce.__name__}"):
            estimator.estimate(problems.objective("linear", latents), logits, noise, reduce=reduce)


# Values, and gradients of what comes after the latents.


@cases(lambda spec: not spec.relaxed and spec.noise != "none" and spec.draws)
def test_hard_estimators_leave_the_value_alone(name, latents):
    """It is the objective at the drawn codes, or its mean over a pair of them."""
    estimator = get(name, latents)
    logits = problems.generic_logits(latents, tf.float32)
    objective_fn, asked = problems.objective("network", latents, tf.float32), []

    def f(z):
        asked.append(z)
        return objective_fn(z)

    noise = estimator.draw_noise(seeds.base(0), logits, 3)
    estimate = estimator.estimate(f, logits, noise)
    drawn = asked[: estimator.spec.draws]
    values = tf.add_n([objective_fn(z) for z in drawn]) / len(drawn)
    assert np.isin(drawn, [0.0, 1.0]).all()
    np.testing.assert_array_equal(estimate.per_sample, values)
    np.testing.assert_array_equal(estimate.value, estimators.mean(values))


@cases(lambda spec: not spec.relaxed and enumerable(spec))
def test_gradients_downstream_are_exact_by_enumeration(name, latents):
    """Hard estimators change only the gradient for the logits, whatever their bias there."""
    weights = problems.network_weights(latents)

    def f(z):
        return problems.network(problems.as_vectors(z, latents), *weights)

    logits = problems.generic_logits(latents)
    result = diagnostics.expected_gradient(get(name, latents), f, logits, variables=weights)
    truth = diagnostics.exact_gradient(f, logits, latents, variables=weights)
    for gradient, expected in zip(result.variable_gradients, truth.variable_gradients, strict=True):
        assert np.abs(expected).max() > 1e-2
        np.testing.assert_allclose(gradient, expected, atol=1e-9)


@cases(lambda spec: not spec.relaxed and not enumerable(spec))
def test_gradients_downstream_are_exact_by_many_draws(name, latents):
    """One copy of the weights for each draw gives one gradient for each draw."""
    estimator = get(name, latents)
    weights = problems.network_weights(latents)
    logits = problems.generic_logits(latents, batch=1)[0]
    truth = diagnostics.exact_gradient(
        lambda z: problems.network(problems.as_vectors(z, latents), *weights),
        estimator.distribution(logits).logits,
        latents,
        variables=weights,
    ).variable_gradients
    copies = [tf.repeat(w[tf.newaxis], NUM_DRAWS, axis=0) for w in weights]
    tiled = tf.repeat(logits[tf.newaxis], NUM_DRAWS, axis=0)
    noise = estimator.draw_noise(seeds.base(0), tiled, estimator.spec.min_samples)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        value = estimator.estimate(
            lambda z: problems.network(problems.as_vectors(z, latents), *copies), tiled, noise
        ).value
    for drawn, expected in zip(tape.gradient(value, copies), truth, strict=True):
        drawn, expected = drawn.numpy(), expected.numpy()
        error = drawn.std(axis=0, ddof=1) / np.sqrt(NUM_DRAWS)
        critical = scipy.stats.norm.isf(1e-6 / expected.size)
        assert np.all(np.abs(drawn.mean(axis=0) - expected) < critical * error + 1e-12)
        assert (2 * critical * error).max() < 0.5 * np.abs(expected).max()


# Graphs, precision, seeds.


def traceable(name, latents):
    """A step of a seed, its logits, what it gives without a graph, and a list that grows with its traces."""
    estimator = get(name, latents)
    f = problems.objective("network", latents, tf.float32)
    logits = problems.generic_logits(latents, tf.float32)
    traces = []

    def step(logits, seed):
        traces.append(1)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            noise = estimator.draw_noise(seed, logits, estimator.spec.min_samples)
            value = estimator.estimate(f, logits, noise).value
        return value, tape.gradient(value, logits)

    return step, logits, value_and_gradient(estimator, f, logits), traces


@every_case
def test_in_a_graph(name, latents):
    """Traced once for two steps."""
    step, logits, eager, traces = traceable(name, latents)
    graph = tf.function(step, autograph=False)
    for ours, theirs in zip(graph(logits, seeds.base(0)), eager, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    graph(logits, seeds.base(1))
    assert len(traces) == 1


def _once(name, latents):
    """`make test` compiles every estimator once, `make test-slow` with its other kinds of latents too."""
    again = latents != spec(name).supports[0]
    return pytest.param(name, latents, marks=[pytest.mark.slow] if again else [])


@pytest.mark.parametrize("name,latents", [_once(*case) for case in CASES])
def test_under_xla(name, latents):
    """What XLA computes is finite and of the same shapes."""
    step, logits, eager, _ = traceable(name, latents)
    compiled = tf.function(step, jit_compile=True, autograph=False)
    for ours, theirs in zip(compiled(logits, seeds.base(0)), eager, strict=True):
        assert ours.shape == theirs.shape and np.isfinite(ours).all()


@every_case
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16], ids=["float16", "bfloat16"])
def test_low_precision_logits_are_lifted_to_float32(name, latents, dtype):
    estimator = get(name, latents)
    logits = tf.cast(problems.generic_logits(latents), dtype)
    f = Recorder(problems.objective("network", latents, tf.float32))
    value, gradient = value_and_gradient(estimator, f, logits)
    assert estimator.draw_noise(seeds.base(0), logits, 2).dtype == tf.float32
    assert f.z.dtype == value.dtype == tf.float32
    assert gradient.dtype == dtype
    assert np.isfinite(value).all() and np.isfinite(tf.cast(gradient, tf.float32)).all()


@every_case
def test_objectives_of_low_precision(name, latents):
    """A network under a mixed-precision policy answers in float16; the estimate is float32."""
    estimator = get(name, latents)
    f = problems.objective("linear", latents, tf.float16)
    value, gradient = value_and_gradient(
        estimator, lambda z: f(tf.cast(z, tf.float16)), problems.generic_logits(latents, tf.float32)
    )
    assert value.dtype == gradient.dtype == tf.float32
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@every_case
def test_a_seed_repeats_and_another_differs(name, latents):
    estimator = get(name, latents)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    first, again, other = (value_and_gradient(estimator, f, logits, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    differs = np.any(first[1].numpy() != other[1].numpy())
    assert differs == (estimator.spec.noise != "none")


@every_case
def test_noise_carries_no_gradient(name, latents):
    estimator = get(name, latents)
    logits = problems.generic_logits(latents)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        noise = estimator.draw_noise(seeds.base(0), logits, estimator.spec.min_samples)
    assert tape.gradient(noise, logits) is None


@every_case
def test_leading_axes(name, latents):
    """Any number of batch axes, none included, and the samples of an outer layer."""
    estimator = get(name, latents)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents, batch=4)
    event = logits.shape[1:]
    for lead in ([], [4], [2, 2]):
        shaped = logits[0] if not lead else tf.reshape(logits, lead + event)
        value, gradient = value_and_gradient(estimator, f, shaped)
        assert value.shape == lead and gradient.shape == lead + event
    noise = estimator.draw_noise(seeds.base(0), logits, num_samples=None)
    estimate = estimator.estimate(f, logits, noise, reduce=None)
    assert estimate.value.shape == [4] and estimate.auxiliary.shape == [4]


# Hard inputs.


def extreme_logits(latents):
    """+-50, masked, equal, two categories that differ by 1e-4, and one with all the mass."""
    rows = [[50.0, -50.0, 0.0], [0.0, 0.0, 0.0], [1e-4, 0.0, -50.0], [0.3, -np.inf, -0.2]]
    rows.append([0.0, -np.inf, -np.inf])
    if latents == "bernoulli":
        rows[3][1] = rows[4][1] = -80.0
        return tf.constant([row[:2] for row in rows])
    return tf.constant([[row, row[::-1]] for row in rows])


@temperature_cases(lambda spec: True, [1e-3, 1.0, 1e3])
def test_extreme_logits_give_finite_values_and_gradients(name, latents, temperature):
    estimator = get(name, latents, temperature)
    f = Recorder(problems.objective("network", latents, tf.float32))
    logits = extreme_logits(latents)
    value, gradient = value_and_gradient(estimator, f, logits, num_samples=50)
    assert np.isfinite(f.z).all() and np.isfinite(value).all() and np.isfinite(gradient).all()
    masked = np.isneginf(logits)
    assert (gradient.numpy()[masked] == 0).all()
    if estimator.spec.noise != "none":
        drawn = np.broadcast_to(masked, f.z.shape)
        assert (f.z.numpy()[drawn] == 0).all()


@pytest.mark.parametrize("name", sorted(set(n for n in ALL if len(spec(n).supports) == 2)))
def test_two_categories_are_a_bernoulli_variable(name):
    """Logits [0, l] and an objective of the second category, against the Bernoulli logit l."""
    bernoulli = problems.generic_logits("bernoulli")
    categorical = tf.stack([tf.zeros_like(bernoulli), bernoulli], axis=-1)
    f = problems.objective("cubic", "bernoulli")
    problem = {"categorical": (lambda z: f(z[..., 1]), categorical), "bernoulli": (f, bernoulli)}
    if enumerable(spec(name)):
        results = {
            latents: diagnostics.expected_gradient(get(name, latents), *arguments)
            for latents, arguments in problem.items()
        }
        np.testing.assert_allclose(
            results["categorical"].gradient[..., 1], results["bernoulli"].gradient, atol=1e-9
        )
        np.testing.assert_allclose(
            results["categorical"].value, results["bernoulli"].value, atol=1e-9
        )
        return
    results = {
        latents: diagnostics.measure(get(name, latents), *arguments, seeds.base(i), NUM_DRAWS)
        for i, (latents, arguments) in enumerate(problem.items())
    }
    two, one = results["categorical"], results["bernoulli"]
    error = np.hypot(two.standard_error[..., 1], one.standard_error)
    assert np.all(np.abs(two.mean[..., 1] - one.mean) < one.critical_z * error)
    assert np.max(2 * one.critical_z * error) < np.abs(one.mean).max()


# The distribution of the draws.


def drawn_codes(estimator, logits, num_draws):
    """The joint configurations that an estimator's objective sees, as numbers, [num_draws]."""
    f = Recorder(lambda z: tf.zeros(tf.shape(z)[:1]))
    noise = estimator.draw_noise(seeds.base(3), logits, num_draws)
    estimator.estimate(f, logits, noise)
    base = 3 if estimator.latents == "categorical" else 2
    return (
        estimator.distribution(logits).code(f.z).numpy()
        @ base ** np.arange(problems.NUM_VARIABLES)[::-1]
    )


@temperature_cases(lambda spec: spec.noise != "none" and spec.draws, [0.1, 1.0, 10.0])
def test_draws_follow_the_declared_law(name, latents, temperature):
    """Chi-square over the joint configurations, softmax(logits) unless the estimator says otherwise."""
    estimator = get(name, latents, temperature)
    logits = problems.generic_logits(latents, tf.float32, batch=1)[0]
    distribution = estimator.distribution(logits)
    configurations = distribution.enumerate()
    num_draws = 40_000
    code = drawn_codes(estimator, logits, num_draws)
    counts = np.bincount(code, minlength=len(configurations))

    def probabilities(logits):
        p = np.exp(type(distribution)(logits).log_prob(configurations).numpy().astype(np.float64))
        return p / p.sum()

    expected = probabilities(distribution.logits)
    statistic = scipy.stats.chisquare(counts, num_draws * expected).statistic
    critical = scipy.stats.chi2.isf(1e-6, len(counts) - 1)
    assert statistic < critical
    # The test would have seen logits that are scaled by 10 %.
    wrong = probabilities(1.1 * distribution.logits)
    noncentrality = num_draws * np.sum((wrong - expected) ** 2 / expected)
    assert scipy.stats.ncx2.sf(critical, len(counts) - 1, noncentrality) > 0.99


@cases(lambda spec: spec.noise != "none" and spec.draws)
def test_the_kl_of_the_elbo_is_that_of_the_draws(name, latents):
    """The KL that a model is charged, against the log ratio at the codes that the estimator draws.

    The ratio takes its probabilities from the frequencies, so nothing of the declared distribution goes in.
    """
    estimator, num_draws = get(name, latents), 40_000
    logits = problems.generic_logits(latents, tf.float32, batch=1)[0]
    prior = type(estimator.distribution(logits))(tf.zeros_like(logits))
    noise = estimator.draw_noise(seeds.base(0), logits[tf.newaxis], estimator.spec.min_samples)
    f = problems.objective("network", latents, tf.float32)
    layer = objectives.one_layer(estimator, logits[tf.newaxis], prior)
    terms = objectives.elbo(layer, f, noise=noise).terms
    code = drawn_codes(estimator, logits, num_draws)
    count = len(prior.enumerate())
    frequency = np.bincount(code, minlength=count) / num_draws
    log_ratio = np.log(count * frequency[code])
    error = log_ratio.std() / np.sqrt(num_draws) + count / num_draws
    assert abs(float(terms["kl_nats"][0]) - log_ratio.mean()) < 5.5 * error
    assert 5.5 * error < 0.15 * log_ratio.mean()
