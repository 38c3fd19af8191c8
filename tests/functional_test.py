"""The plain functions: what they return, what flows back, and that they agree with the estimators."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_discrete import estimators, functional, seeds
from tf_discrete.distributions import noise

LOGITS = tf.constant([[0.5, -1.0, 2.0], [0.0, 0.0, -3.0]])
COEFFICIENTS = tf.constant([1.0, -2.0, 0.5])


def gradient(function, logits=LOGITS):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(function(logits) * tf.cast(COEFFICIENTS, logits.dtype))
    return tape.gradient(total, logits).numpy()


def test_gumbel_softmax_is_the_formula():
    z = functional.gumbel_softmax(LOGITS, 0.5, seed=3)
    gumbel = noise.gumbel(seeds.base(3), [2, 3])
    np.testing.assert_allclose(z, tf.nn.softmax((LOGITS + gumbel) / 0.5), rtol=1e-5)
    np.testing.assert_allclose(tf.reduce_sum(z, -1), [1.0, 1.0], rtol=1e-6)


def test_hard_gumbel_softmax_is_one_hot_with_the_gradient_of_the_soft_one():
    hard = functional.gumbel_softmax(LOGITS, 0.7, hard=True, seed=3)
    soft = functional.gumbel_softmax(LOGITS, 0.7, seed=3)
    np.testing.assert_array_equal(hard, tf.one_hot(tf.argmax(soft, -1), 3))
    np.testing.assert_array_equal(
        gradient(lambda x: functional.gumbel_softmax(x, 0.7, hard=True, seed=3)),
        gradient(lambda x: functional.gumbel_softmax(x, 0.7, seed=3)),
    )


def test_straight_through_is_a_draw_with_the_gradient_of_softmax():
    z = functional.straight_through(LOGITS, 0.7, seed=3)
    assert set(np.unique(z)) == {0.0, 1.0} and tf.reduce_sum(z, -1).numpy().tolist() == [1.0, 1.0]
    np.testing.assert_allclose(
        gradient(lambda x: functional.straight_through(x, 0.7, seed=3)),
        gradient(lambda x: tf.nn.softmax(x / 0.7)),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["gumbel_softmax", "straight_through"])
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_functions_are_the_estimators(name, temperature):
    """Function and estimator, given one seed, return one value and one gradient."""
    estimator = estimators.get(name, temperature=temperature)

    def by_estimator(logits):
        draw = estimator.draw_noise(seeds.base(4), logits)
        return estimator.sample(logits, draw).value[0]

    function = getattr(functional, name)
    np.testing.assert_allclose(
        function(LOGITS, temperature, seed=4), by_estimator(LOGITS), rtol=1e-6
    )
    np.testing.assert_allclose(
        gradient(lambda x: function(x, temperature, seed=4)), gradient(by_estimator), rtol=1e-5
    )


@pytest.mark.parametrize(
    "draw",
    [
        lambda logits, seed: functional.gumbel_softmax(logits, 3.0, hard=True, seed=seed),
        lambda logits, seed: functional.straight_through(logits, 3.0, seed=seed),
    ],
    ids=["gumbel_softmax", "straight_through"],
)
def test_hard_draws_have_the_law_of_the_logits(draw):
    """Chi-square at 1e-6; logits scaled by 10 % would be seen with probability above 0.99."""
    draws = 30_000
    counts = tf.reduce_sum(draw(tf.repeat(LOGITS[:1], draws, axis=0), 5), axis=0).numpy()
    p = tf.nn.softmax(tf.cast(LOGITS[0], tf.float64)).numpy()
    assert scipy.stats.chisquare(counts, draws * p).pvalue > 1e-6
    wrong = tf.nn.softmax(1.1 * tf.cast(LOGITS[0], tf.float64)).numpy()
    noncentrality = draws * np.sum((wrong - p) ** 2 / p)
    assert scipy.stats.ncx2.sf(scipy.stats.chi2.isf(1e-6, 2), 2, noncentrality) > 0.99


def test_saturating_sigmoid():
    x = tf.constant([-10.0, -2.0, 0.0, 2.0, 10.0])
    expected = np.clip(1.2 / (1 + np.exp(-x.numpy())) - 0.1, 0, 1)
    np.testing.assert_allclose(functional.saturating_sigmoid(x), expected, atol=1e-6)
    assert functional.saturating_sigmoid(x).numpy()[[0, -1]].tolist() == [0.0, 1.0]


def test_semantic_hash_outside_training_is_the_sign():
    logits = tf.constant([[-3.0, -1e-6, 1e-6, 2.0]])
    bits = functional.semantic_hash(logits, training=False)
    assert bits.numpy().tolist() == [[0.0, 0.0, 1.0, 1.0]]


def test_semantic_hash_in_training_mixes_bits_and_saturated_values():
    logits = tf.zeros([20_000])
    values = functional.semantic_hash(logits, 1.0, 0.3, seed=0).numpy()
    soft = functional.semantic_hash(logits, 1.0, 0.0, seed=0).numpy()
    hard = functional.semantic_hash(logits, 1.0, 1.0, seed=0).numpy()
    np.testing.assert_array_equal(hard, soft > 0.5)
    rounded = values != soft
    np.testing.assert_array_equal(values[rounded], hard[rounded])
    assert rounded.mean() == pytest.approx(0.3, abs=5.5 * np.sqrt(0.3 * 0.7 / 20_000))
    gaussian = tf.random.stateless_normal([20_000], seeds.fold(seeds.base(0), "noise"))
    np.testing.assert_allclose(soft, functional.saturating_sigmoid(gaussian), atol=1e-6)


def test_what_semantic_hash_rounds_does_not_depend_on_the_noise():
    """Two draws from two seeds: the noise of rounded and of other elements has one distribution."""
    logits = tf.zeros([20_000])
    soft = functional.semantic_hash(logits, 1.0, 0.0, seed=0).numpy()
    rounded = functional.semantic_hash(logits, 1.0, 0.5, seed=0).numpy() != soft
    inside = (soft > 0) & (soft < 1)
    parts = soft[inside & rounded], soft[inside & ~rounded]
    assert min(map(len, parts)) > 8_000
    for measure in (lambda x: x, lambda x: np.abs(x - 0.5)):
        assert scipy.stats.ks_2samp(*map(measure, parts)).pvalue > 1e-6


def test_semantic_hash_without_noise_is_a_saturating_sigmoid():
    logits = tf.constant([-0.5, 0.5, 9.0])
    soft = functional.semantic_hash(logits, 0.0, 0.0, seed=0)
    np.testing.assert_allclose(soft, functional.saturating_sigmoid(logits), atol=1e-7)


def test_semantic_hash_passes_the_gradient_of_the_soft_value_through_both_parts():
    whole = [
        gradient(lambda x, f=f: functional.semantic_hash(x, 1.0, f, seed=2)) for f in (0.0, 1.0)
    ]
    np.testing.assert_array_equal(*whole)
    assert np.abs(whole[0]).max() > 0.01


FUNCTIONS = {
    "gumbel_softmax": lambda x, seed: functional.gumbel_softmax(x, 0.5, seed=seed),
    "hard_gumbel_softmax": lambda x, seed: functional.gumbel_softmax(x, 0.5, hard=True, seed=seed),
    "straight_through": lambda x, seed: functional.straight_through(x, 0.5, seed=seed),
    "semantic_hash": lambda x, seed: functional.semantic_hash(x, seed=seed),
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


@every_function
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64])
def test_dtypes(function, dtype):
    """The result is in the dtype of the logits, and computed in at least float32."""
    logits = tf.cast(LOGITS, dtype)
    z = function(logits, 0)
    assert z.dtype == dtype and z.shape == [2, 3]
    if dtype != tf.float64:
        np.testing.assert_array_equal(z, tf.cast(function(tf.cast(logits, tf.float32), 0), dtype))
    back = gradient(lambda x: function(x, 0), logits)
    assert np.isfinite(back.astype(np.float32)).all()


@every_function
def test_seeds(function):
    """An int and its seed tensor are one seed; another draws otherwise; no global state is read."""
    tf.random.set_seed(1)
    first = function(tf.zeros([100]), 7).numpy()
    tf.random.set_seed(2)
    np.testing.assert_array_equal(function(tf.zeros([100]), 7), first)
    np.testing.assert_array_equal(function(tf.zeros([100]), np.int64(7)), first)
    np.testing.assert_array_equal(function(tf.zeros([100]), seeds.base(7)), first)
    assert np.any(function(tf.zeros([100]), 8).numpy() != first)


@every_function
def test_under_xla(function):
    compiled = tf.function(function, jit_compile=True, autograph=False)
    z = compiled(LOGITS, seeds.base(0))
    assert z.shape == [2, 3] and np.isfinite(z).all()


@pytest.mark.parametrize("name", ["gumbel_softmax", "straight_through"])
def test_masks_and_extremes(name):
    logits = tf.constant([[0.3, -np.inf, 1.0], [50.0, -50.0, 0.0]])
    for temperature in (1e-3, 1.0):
        z = getattr(functional, name)(logits, temperature, seed=0)
        back = gradient(lambda x, t=temperature: getattr(functional, name)(x, t, seed=0), logits)
        assert np.isfinite(z).all() and float(z[0, 1]) == 0.0
        assert np.isfinite(back).all() and back[0, 1] == 0.0


@pytest.mark.parametrize("name", ["gumbel_softmax", "straight_through"])
@pytest.mark.parametrize("temperature", [0, -0.5, np.float32(0.0), np.float64(-1.0), float("nan")])
def test_temperatures_that_are_not_positive(name, temperature):
    with pytest.raises(ValueError, match="temperature must be positive.*Received: temperature="):
        getattr(functional, name)(LOGITS, temperature, seed=0)


@pytest.mark.parametrize("temperature", [(0.0,), [np.nan], [1.0, -1.0, 1.0], [np.inf]])
@pytest.mark.parametrize("name", ["gumbel_softmax", "straight_through"])
def test_several_temperatures_of_which_one_is_not_positive(name, temperature):
    message = "temperature must be finite and at least 1e-30.*Received: temperature="
    for given in (temperature, tf.constant(temperature)):
        with pytest.raises(ValueError, match=message):
            getattr(functional, name)(tf.zeros([1, 3]), given, seed=0)


@pytest.mark.parametrize("name", ["gumbel_softmax", "straight_through"])
def test_temperatures_at_which_gradients_overflow(name):
    function = getattr(functional, name)
    zeros = tf.zeros([1, 2], tf.float16)
    with pytest.raises(ValueError, match="at least 4e-06 for float16.*Received: temperature=1e-08"):
        function(zeros, 1e-8, seed=0)
    with pytest.raises(ValueError, match="at least 1e-30.*Received: temperature=1e-50"):
        function(tf.cast(zeros, tf.float32), 1e-50, seed=0)
    for logits, temperature in ((zeros, 5e-6), (tf.cast(zeros, tf.float32), 1e-30)):
        back = gradient(lambda x, t=temperature: function(x, t, seed=0)[:, :1], logits)
        assert np.isfinite(back).all()


def test_semantic_hash_of_certain_bits():
    for dtype in (tf.float16, tf.float32):
        logits = tf.constant([[np.inf, -np.inf, 0.3]], dtype)
        for seed in range(5):
            z = functional.semantic_hash(logits, flip_probability=0.1, seed=seed)
            assert np.isfinite(z).all()
            back = gradient(lambda x, s=seed: functional.semantic_hash(x, seed=s), logits)
            assert np.isfinite(back).all() and (back[0, :2] == 0).all()


def test_semantic_hash_errors():
    for fraction in (-0.1, 1.5):
        with pytest.raises(ValueError, match=f"be in .0, 1.*discrete_fraction={fraction}"):
            functional.semantic_hash(LOGITS, discrete_fraction=fraction, seed=0)
    with pytest.raises(
        ValueError, match="must be a finite number >= 0. Received: noise_stddev=-1.0"
    ):
        functional.semantic_hash(LOGITS, noise_stddev=-1.0, seed=0)
    with pytest.raises(ValueError, match="Give a seed. Received: seed=None"):
        functional.semantic_hash(LOGITS)
    for flips in (-0.1, 0.5):
        with pytest.raises(ValueError, match=rf"be in .0, 0.5.*flip_probability={flips}"):
            functional.semantic_hash(LOGITS, flip_probability=flips, seed=0)
