"""REBAR and RELAX: unbiased by quadrature, the score function at zero, trained by their variance."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, problems
from tf_discrete import estimators, seeds
from tf_discrete.distributions import get_relaxable
from tf_discrete.estimators import diagnostics

both = pytest.mark.parametrize("name", ["rebar", "relax"])
every_relaxation = pytest.mark.parametrize("relaxation", ["concrete", "modified"])
every_latents = pytest.mark.parametrize("latents", ["categorical", "bernoulli"])


def gradient(estimator, f, logits, noise, **arguments):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = estimator.estimate(f, logits, noise, **arguments).value
    return tape.gradient(value, logits)


def scramble(estimator, scale=0.5):
    """Weights as if they had been learned."""
    random = np.random.RandomState(1)
    estimator.set_weights(
        [w + scale * random.normal(size=w.shape) * (w.ndim > 0) for w in estimator.get_weights()]
    )


def pieces(edges, count=40):
    """Gauss-Legendre nodes and weights on each interval between edges."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    x = [low + (nodes + 1) / 2 * (high - low) for low, high in itertools.pairwise(edges)]
    w = [weights / 2 * (high - low) for low, high in itertools.pairwise(edges)]
    return np.concatenate(x), np.concatenate(w)


@both
@every_relaxation
@pytest.mark.parametrize("temperature,scale", [(0.5, 1.0), (0.3, 0.4), (1.0, -2.0)])
def test_unbiased_by_quadrature_for_one_bit(name, relaxation, temperature, scale):
    """The integral over free and conditional noise, at any temperature, scale and network."""
    estimator = estimators.get(
        name, latents="bernoulli", temperature=temperature, scale=scale, relaxation=relaxation
    )
    estimator.build((None, 1))
    scramble(estimator)
    for logit in (-1.0, 0.4):
        p = 1 / (1 + np.exp(-logit))
        u, u_weight = pieces([0.0, 1 - p, 1.0])
        v, v_weight = pieces([0.0, 1.0])
        free, conditional = (x.ravel() for x in np.meshgrid(np.log(u / (1 - u)), v))
        weight = np.outer(v_weight, u_weight).ravel()
        noise = tf.constant(np.stack([free, conditional], axis=-1)[None, :, None])
        logits = tf.fill([len(weight), 1], tf.constant(logit, tf.float64))

        def f(z):
            return tf.sin(3.0 * z[..., 0]) + (z[..., 0] + 0.5) ** 3

        drawn = gradient(estimator, f, logits, noise)[:, 0].numpy()
        at = f(tf.constant([[0.0], [1.0]], tf.float64)).numpy()
        assert weight @ drawn == pytest.approx((at[1] - at[0]) * p * (1 - p), abs=2e-6)
        assert np.std(drawn) > 0.01


@pytest.mark.one_in(4)
@both
@every_latents
@pytest.mark.parametrize("temperature", [0.4, 5.0])
def test_the_modified_relaxation_is_unbiased_by_many_draws(name, latents, temperature):
    estimator = estimators.get(
        name, latents=latents, temperature=temperature, relaxation="modified"
    )
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    result = diagnostics.measure(estimator, f, logits, seeds.base(0), num_gradients=20_000)
    assert not result.is_biased
    assert result.detectable_bias.max() < 0.2 * np.abs(result.exact).max()


@every_relaxation
@every_latents
def test_at_high_temperature_the_control_is_the_objective_at_one_point(relaxation, latents):
    """Draw by draw: at the mean of q, which is MuProp without its linear term; or at the uniform vector."""
    estimator = estimators.get("rebar", latents=latents, temperature=1e7, relaxation=relaxation)
    f, logits = problems.objective("network", latents), problems.generic_logits(latents, batch=20)
    noise, seen = estimator.draw_noise(seeds.base(0), logits, 2), []
    found = gradient(estimator, lambda z: seen.append(z) or f(z), logits, noise)
    distribution = estimator.distribution(logits)
    point = (
        distribution.probs
        if relaxation == "modified"
        else type(distribution)(tf.zeros_like(logits)).probs
    )
    credit = f(seen[0]) - f(tf.broadcast_to(point, seen[0].shape))
    for _ in range(distribution.event_rank):
        credit = credit[..., tf.newaxis]
    expected = tf.reduce_mean(credit * distribution.score(seen[0]), axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected).max() > 0.1


@every_relaxation
@every_latents
def test_at_low_temperature_the_relaxed_draw_is_the_hard_one(relaxation, latents):
    estimator = estimators.get("rebar", latents=latents, temperature=1e-3, relaxation=relaxation)
    logits = problems.generic_logits(latents, batch=200)
    free = estimator.draw_noise(seeds.base(0), logits)[..., 0]
    relaxed = estimator._relax(logits, free)
    hard = get_relaxable(latents)(logits).harden(free)
    assert np.mean(np.abs(relaxed - hard) < 1e-3) > 0.98


@both
@every_latents
def test_a_zero_control_variate_is_the_score_function_draw_by_draw(name, latents):
    arguments = {"objective_control": False} if name == "relax" else {"scale": 0.0}
    estimator = estimators.get(name, latents=latents, **arguments)
    plain = estimators.get("score_function", latents=latents, baseline="none")
    f, logits = problems.objective("network", latents), problems.generic_logits(latents, batch=20)
    noise = estimator.draw_noise(seeds.base(0), logits, 2)
    seen = []
    gradients = gradient(estimator, lambda z: seen.append(z) or f(z), logits, noise)
    expected = gradient(plain, f, logits, seen[0])
    np.testing.assert_allclose(gradients, expected, atol=1e-12)
    assert len(seen) == (1 if name == "relax" else 3)


@every_latents
def test_relax_starts_as_rebar(latents):
    rebar, relax = (estimators.get(name, latents=latents) for name in ("rebar", "relax"))
    f, logits = problems.objective("network", latents), problems.generic_logits(latents)
    noise = rebar.draw_noise(seeds.base(0), logits, 2)
    np.testing.assert_allclose(
        gradient(relax, f, logits, noise), gradient(rebar, f, logits, noise), atol=1e-12
    )
    scramble(relax)
    assert (
        np.abs(gradient(relax, f, logits, noise) - gradient(rebar, f, logits, noise)).max() > 0.01
    )


@every_latents
def test_the_conditional_draw_is_the_one_that_was_drawn(latents):
    estimator = estimators.get("rebar", latents=latents)
    logits = problems.generic_logits(latents, batch=100)
    noise = estimator.draw_noise(seeds.base(0), logits)
    distribution = get_relaxable(latents)(logits)
    hard = distribution.harden(noise[..., 0])
    bound = distribution.condition(noise[..., 1], hard)
    np.testing.assert_array_equal(distribution.harden(bound), hard)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "name,latents",
    [
        ("rebar", "categorical"),
        ("relax", "bernoulli"),
        pytest.param("rebar", "bernoulli", marks=pytest.mark.slow),
        pytest.param("relax", "categorical", marks=pytest.mark.slow),
    ],
)
def test_variance_over_200_steps(name, latents):
    """Against no baseline, and against its own start, which is set badly."""
    problem = learning.Problem(latents)
    estimator = estimators.get(name, latents=latents, temperature=2.0, scale=0.2)
    start = learning.gradients(estimator, problem)
    losses = learning.train(estimator, problem)
    ours = learning.gradients(estimator, problem)
    plain = estimators.get("score_function", latents=latents, baseline="none")
    for against, other in (("none", learning.gradients(plain, problem)), ("its start", start)):
        ratio, low, high = learning.variance_ratio(ours, other)
        print(f"{name} against {against}: {ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
        assert high < 0.5
    assert losses[-20:].mean() < 0.5 * losses[:5].mean()


@both
def test_the_auxiliary_is_the_power_of_one_sample_and_its_slope(name):
    """Finite differences of the squared norm, for every number that is learned."""
    estimator = estimators.get(name)
    problem = learning.Problem("categorical")
    noise = estimator.draw_noise(seeds.base(0), problem.logits, 3)

    def auxiliary():
        return estimator.estimate(problem.objective, problem.logits, noise, training=True).auxiliary

    auxiliary()
    if name == "relax":
        scramble(estimator, 0.3)
    with tf.GradientTape() as tape:
        mean = tf.reduce_mean(auxiliary())
    slopes = tape.gradient(mean, [v.value for v in estimator.trainable_variables])
    alone = estimator.draw_noise(seeds.base(0), problem.logits, 3)
    power = [
        tf.reduce_sum(gradient(estimator, problem.objective, problem.logits, alone[s : s + 1]) ** 2)
        for s in range(3)
    ]
    assert float(mean) == pytest.approx(float(tf.add_n(power)) / 3 / learning.BATCH, rel=1e-4)
    for variable, slope in zip(estimator.trainable_variables, slopes, strict=True):
        weight = variable.numpy()
        index = np.unravel_index(np.argmax(np.abs(slope)), weight.shape)
        ends = []
        for step in (-1e-2, 1e-2):
            moved = np.array(weight)
            moved[index] += step
            variable.assign(moved)
            ends.append(float(tf.reduce_mean(auxiliary())))
        variable.assign(weight)
        measured = (ends[1] - ends[0]) / 2e-2
        assert measured == pytest.approx(float(slope.numpy()[index]), rel=0.05, abs=1e-2)


@both
def test_the_auxiliary_loss_reaches_nothing_else(name):
    estimator = estimators.get(name)
    weights = problems.network_weights("categorical", tf.float32)
    logits = problems.generic_logits("categorical", tf.float32)
    noise = estimator.draw_noise(seeds.base(0), logits, 2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        estimate = estimator.estimate(
            lambda z: problems.network(z, *weights), logits, noise, training=True
        )
        hard = estimator.kind(logits).harden(noise[..., 0])
        plain = estimators.mean(problems.network(tf.stop_gradient(hard), *weights))
    own = [v.value for v in estimator.trainable_variables]
    assert all(g is not None for g in tape.gradient(estimate.auxiliary, own))
    assert tape.gradient(estimate.auxiliary, [*weights, logits]) == [None] * 3
    assert tape.gradient(estimate.value, own) == [None] * len(own)
    for ours, theirs in zip(
        tape.gradient(estimate.value, weights), tape.gradient(plain, weights), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_nothing_is_learned_where_all_is_fixed_or_outside_training():
    fixed = estimators.get("rebar", learn_temperature=False, learn_scale=False)
    assert not fixed.trainable_variables
    problem = learning.Problem("categorical")
    for estimator, training in ((fixed, True), (estimators.get("rebar"), False)):
        noise = estimator.draw_noise(seeds.base(0), problem.logits)
        estimate = estimator.estimate(problem.objective, problem.logits, noise, training=training)
        assert not np.any(estimate.auxiliary)


def test_a_control_fn_of_ones_own_replaces_the_network():
    estimator = estimators.get("relax", objective_control=False)
    problem = learning.Problem("categorical")
    dense = keras.layers.Dense(1)

    def call(z):
        return dense(tf.reshape(z, [*z.shape[:2], -1]))[..., 0]

    class Control:
        trainable_variables = property(lambda self: dense.trainable_variables)
        __call__ = staticmethod(call)

    noise = estimator.draw_noise(seeds.base(0), problem.logits)
    call(tf.zeros([1, 1, *problem.logits.shape[1:]]))
    with tf.GradientTape() as tape:
        auxiliary = estimator.estimate(
            problem.objective, problem.logits, noise, control_fn=Control(), training=True
        ).auxiliary
    kernel, _ = tape.gradient(auxiliary, [v.value for v in dense.trainable_variables])
    assert np.any(kernel != 0) and not estimator.network.built


@pytest.mark.one_in(4)
@both
@every_latents
@every_relaxation
@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e3])
def test_extreme_logits_train_on_finite_numbers(name, latents, relaxation, temperature):
    row = [[50.0, -50.0, 0.0], [0.3, -np.inf, -0.2], [0.0, -np.inf, -np.inf]]
    logits = tf.constant([row[:2], row[1:]] if latents == "categorical" else [[50.0, -50.0]])
    estimator = estimators.get(
        name, latents=latents, temperature=temperature, relaxation=relaxation
    )
    f = problems.objective("network", latents, tf.float32)
    noise = estimator.draw_noise(seeds.base(0), logits, 20)
    estimator.estimate(f, logits, noise)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        estimate = estimator.estimate(f, logits, noise, training=True)
    own = [v.value for v in estimator.trainable_variables]
    for g in (tape.gradient(estimate.value, logits), *tape.gradient(estimate.auxiliary, own)):
        assert np.isfinite(g).all()


def test_noise_is_linear_in_the_number_of_categories():
    for name in ("rebar", "relax"):
        noise = estimators.get(name).draw_noise(seeds.base(0), tf.zeros([2, 3, 7]), 4)
        assert noise.shape == [4, 2, 3, 7, 2]


@every_relaxation
def test_two_categories_relax_as_a_bernoulli_variable(relaxation):
    bits = problems.generic_logits("bernoulli", batch=20)
    pairs = tf.stack([tf.zeros_like(bits), bits], axis=-1)
    one, two = (
        estimators.get("rebar", latents=latents, relaxation=relaxation)
        for latents in ("bernoulli", "categorical")
    )
    gumbel = two.draw_noise(seeds.base(0), pairs)[..., 0]
    relaxed = one._relax(bits, gumbel[..., 1] - gumbel[..., 0])
    np.testing.assert_allclose(two._relax(pairs, gumbel)[..., 1], relaxed, atol=1e-12)


def test_an_unknown_relaxation_is_refused():
    with pytest.raises(ValueError, match="concrete, modified. Received: relaxation='muprop'"):
        estimators.get("rebar", relaxation="muprop")
