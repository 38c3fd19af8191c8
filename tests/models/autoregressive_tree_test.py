"""Autoregressive digits against the dense distribution over the leaves, by enumeration."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tf_discrete import seeds
from tf_discrete.distributions import Categorical
from tf_discrete.estimators import RELAX, ScoreFunction
from tf_discrete.models import AutoregressiveTree

CASES = {
    "full": {"num_categories": 64, "branching": (4, 4, 4)},
    "ragged": {"num_categories": 17, "branching": (2, 3, 4)},
    "masked": {
        "num_categories": 17,
        "branching": (2, 3, 4),
        "masked": [(0, 1), (1, 1, 0), (0, 0, 0), (0, 0, 1)],
    },
    "two digits": {"num_categories": 11, "branching": (3, 4), "masked": [(1, 2)]},
}
X = tf.constant(np.random.RandomState(0).normal(size=[2, 5]))


def made(case="ragged", seed=1, scale=2.0, **options):
    keras.utils.set_random_seed(seed)
    tree = AutoregressiveTree(
        **{**CASES[case], "hidden_units": (6, 5), "dtype": "float64", **options}
    )
    tree.build(X.shape)
    for variable in tree.network.weights:
        variable.assign(scale * variable.value)
    return tree


def dense(tree, x=X):
    """log q of each category, [B, num_allowed], and its value."""
    codes = tree.enumerate()
    values = tree.one_hot(codes, tf.float64)
    lead = tf.broadcast_to(values[:, tf.newaxis], [len(codes), x.shape[0], *values.shape[1:]])
    return tf.transpose(tree.log_prob(x, lead)), values


@pytest.mark.one_in(2)
@pytest.mark.parametrize("case", CASES)
def test_the_distribution_over_its_categories(case):
    tree = made(case)
    log_q, values = dense(tree)
    assert len(values) == tree.leaves.num_allowed
    np.testing.assert_allclose(tf.reduce_logsumexp(log_q, axis=1), [0, 0], atol=1e-12)
    np.testing.assert_array_equal(tree.code(values), tree.enumerate())
    q = Categorical(log_q[:, tf.newaxis])
    np.testing.assert_allclose(tree.entropy(X), q.entropy(), atol=1e-12)
    uniform = Categorical(tf.zeros_like(log_q)[:, tf.newaxis])
    np.testing.assert_allclose(tree.kl_divergence(X), q.kl_divergence(uniform), atol=1e-12)
    other = made(case, seed=2)
    prior = tf.ones_like(X)
    p = Categorical(dense(other, prior)[0][:, tf.newaxis])
    kl = tree.kl_divergence(X, lambda depth, before: other.logits(depth, prior[:1], before))
    np.testing.assert_allclose(kl, q.kl_divergence(p), atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_along_the_path_the_expectations_are_exact(case):
    tree = made(case)
    log_q, values = dense(tree)
    paths = tf.repeat(values[:, tf.newaxis], 2, axis=1)
    weights = tf.transpose(tf.exp(log_q))
    for along, exact in (
        (tree.entropy_along, tree.entropy),
        (tree.kl_along, tree.kl_divergence),
    ):
        expectation = tf.reduce_sum(weights * along(X, paths), axis=0)
        np.testing.assert_allclose(expectation, exact(X), atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_frequencies_of_samples(case):
    tree, count = made(case, scale=1.0), 20_000
    codes = tree.code(tree.sample(X[:1], seeds.base(0), count)).numpy()[:, 0]
    expected = count * np.exp(dense(tree, X[:1])[0].numpy()[0])
    assert expected.min() > 5
    order = tree.enumerate().numpy()
    observed = [np.sum(codes == code) for code in order]
    assert sum(observed) == count
    assert stats.chisquare(observed, expected * count / expected.sum()).pvalue > 1e-4


def test_modes():
    tree = made("masked", scale=4.0)
    log_q, values = dense(tree)
    best = tf.gather(tree.enumerate(), tf.argmax(log_q, axis=1))
    np.testing.assert_array_equal(tree.code(tree.mode(X, beam=100)), best)
    scores = [tree.log_prob(X, tree.mode(X, beam)).numpy() for beam in (1, 2, 100)]
    assert (np.diff(scores, axis=0) >= 0).all()
    before = tf.zeros([2, 0, tree.digit_size], tf.float64)
    first = tf.argmax(tree.logits(0, X, before), axis=-1)
    np.testing.assert_array_equal(tf.argmax(tree.mode(X)[:, 0], axis=-1), first)
    np.testing.assert_array_equal(tree(X), tree.mode(X))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("case", CASES)
def test_exact_quantities_have_finite_gradients(case):
    tree = made(case)
    with tf.GradientTape() as tape:
        z = tree.mode(X, beam=3)
        total = tree.entropy(X) + tree.kl_divergence(X) + tree.log_prob(X, z) + tree.kl_along(X, z)
    gradients = tape.gradient(total, tree.trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


WEIGHTS = tf.constant(np.random.RandomState(3).normal(size=[3, 4]))


def objective(value, kl):
    return tf.reduce_sum(WEIGHTS[-value.shape[-2] :] * value, axis=[-2, -1]) ** 3 - 0.7 * kl


def exact_gradient(tree):
    with tf.GradientTape() as tape:
        log_q, values = dense(tree)
        f = objective(values[:, tf.newaxis], tf.zeros([len(values), 2], tf.float64))
        total = tf.reduce_sum(tf.exp(tf.transpose(log_q)) * f, axis=0) - 0.7 * tree.kl_divergence(X)
    return total, tape.gradient(total, tree.network.trainable_variables)


@pytest.mark.parametrize("case", ["ragged", "masked"])
def test_enumeration_of_the_digits_is_exact(case):
    tree = made(case, estimator="enumeration")
    with tf.GradientTape() as tape:
        estimate = tree.estimate(objective, X, seeds.base(0))
    total, gradient = exact_gradient(tree)
    np.testing.assert_allclose(estimate.value, total, atol=1e-11)
    found = tape.gradient(estimate.value, tree.trainable_variables)
    for one, other in zip(found, gradient, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-11)


@pytest.mark.parametrize("name", ["score_function", pytest.param("disarm", marks=pytest.mark.slow)])
def test_score_estimators_show_no_bias(name):
    """Of value and gradient, the choice of the path included: t-tests of the means of independent batches."""
    tree, batches = made("two digits", scale=1.0, estimator=name), 12
    found = []
    for batch in range(batches):
        with tf.GradientTape() as tape:
            estimate = tree.estimate(objective, X, seeds.fold(seeds.base(5), batch), 500)
            value = tf.reduce_sum(estimate.value)
        gradient = tape.gradient(value, tree.trainable_variables)
        found.append(np.concatenate([[value], *(np.reshape(g, [-1]) for g in gradient)]))
    total, gradient = exact_gradient(tree)
    exact = np.concatenate([[tf.reduce_sum(total)], *(np.reshape(g, [-1]) for g in gradient)])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(batches)
    moves = error > 1e-12
    np.testing.assert_allclose(np.mean(found, axis=0)[~moves], exact[~moves], atol=1e-9)
    score = (np.mean(found, axis=0) - exact)[moves] / error[moves]
    assert np.abs(score).max() < stats.t.isf(1e-5 / len(score), batches - 1)
    assert np.median(error[moves]) < 0.1 * np.abs(exact).max()  # A wrong gradient would be seen.


def test_without_the_choice_of_the_path_the_gradient_is_another():
    """What `kl_along` says of its gradient: at fixed paths a part is missing."""
    tree = made("full", scale=1.0, branching=(2, 3, 4), num_categories=24)
    log_q, values = dense(tree)
    weights = tf.stop_gradient(tf.transpose(tf.exp(log_q)))
    paths = tf.repeat(values[:, tf.newaxis], 2, axis=1)
    with tf.GradientTape(persistent=True) as tape:
        expected = tree.kl_divergence(X)
        along = tf.reduce_sum(weights * tree.kl_along(X, paths), axis=0)
    np.testing.assert_allclose(along, expected, atol=1e-12)
    whole, part = (
        np.concatenate([np.reshape(g, [-1]) for g in tape.gradient(kl, tree.trainable_variables)])
        for kl in (expected, along)
    )
    assert np.abs(whole - part).max() > 0.01 * np.abs(whole).max()


@pytest.mark.parametrize(
    "estimator", ["straight_through", "reinmax", "straight_through_gumbel_softmax"]
)
def test_pathwise_estimators_train_the_first_digits_through_the_prefix(estimator):
    tree = made("masked", estimator=estimator)
    with tf.GradientTape() as tape:
        value = tree.estimate(objective, X, seeds.base(0), 8).value
    gradients = tape.gradient(value, tree.trainable_variables)
    assert all(np.isfinite(g).all() and np.any(g) for g in gradients[:1])


@pytest.mark.parametrize("name", ["nvil", "reinmax"])
def test_estimators_are_made_once_and_learn_in_a_graph(name):
    tree = made("ragged", estimator=name)
    variables = tree.trainable_variables

    @tf.function(autograph=False)
    def step(seed):
        with tf.GradientTape() as tape:
            estimate = tree.estimate(objective, X, seed, 4, training=True)
            loss = tf.reduce_sum(estimate.auxiliary) - tf.reduce_sum(estimate.value)
        return tape.gradient(loss, [v.value for v in variables])

    learned = [v for one in tree.estimators for v in one.trainable_variables]
    others = [v for one in tree.estimators for v in one.non_trainable_variables]
    assert bool(learned) == (name == "nvil")
    assert len(variables) == len(tree.network.trainable_variables) + len(learned)
    before = [v.numpy() for v in others]
    gradients = step(seeds.base(0))
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert len({id(one) for one in tree.estimators}) == 3
    for one in tree.estimators:
        own = {id(v) for v in one.trainable_variables}
        found = [g for g, v in zip(gradients, variables, strict=True) if id(v) in own]
        assert not found or any(np.any(gradient) for gradient in found)
    moved = [np.any(old != v.numpy()) for old, v in zip(before, others, strict=True)]
    assert any(moved) == (name == "nvil")


def test_variance_normalisation_divides_the_gradient_of_the_kl_too():
    """The gradient of the whole is that without it, divided by one number for each digit."""

    def gradient(normalized):
        estimator = ScoreFunction(baseline="none", variance_normalization=normalized)
        tree = made("ragged", estimator=estimator)
        if normalized:
            for scale, one in zip((2.0, 3.0, 4.0), tree.estimators, strict=True):
                one.spread.update([-scale, scale])  # Of variance scale**2.
        with tf.GradientTape() as tape:
            value = tree.estimate(objective, X, seeds.base(0), 3).value
        networks = [tree.network.contexts[depth].kernel.value for depth in range(3)]
        return tape.gradient(value, networks)

    for scale, plain, divided in zip((2, 3, 4), gradient(False), gradient(True), strict=True):
        np.testing.assert_allclose(scale * divided, plain, rtol=1e-6, atol=1e-9)


def test_a_relaxed_control_variate_needs_a_regular_tree():
    made("full", estimator="rebar")
    made("ragged", estimator=RELAX(objective_control=False))
    made("masked", estimator="muprop")


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_any_number_of_categories_in_a_graph_and_in_low_precision(policy):
    count = 2**32 + 15
    tree = AutoregressiveTree(count, (1626,) * 3, hidden_units=(4,), dtype=policy)
    x = tf.ones([2, 3])

    @tf.function(autograph=False)
    def draw(seed):
        z = tree.sample(x, seed, 5)
        return z, tree.code(z), tree.log_prob(x, z), tree.kl_along(x, z)

    tree.build([None, 3])
    z, codes, log_prob, kl = draw(seeds.base(0))
    assert codes.dtype == tf.int64 and codes.shape == [5, 2] and log_prob.dtype == tf.float32
    assert (codes.numpy() < count).all() and np.isfinite(log_prob).all() and (kl.numpy() >= 0).all()
    assert tree(x).dtype == tree.compute_dtype
    np.testing.assert_array_equal(tree.code(tree(x)), tree.code(tree.mode(x)))
    edges = tf.constant([2**24 + 1, 2**31 + 1, 2**32 + 1, count - 1], tf.int64)
    for one in (codes, edges):
        value = tree.one_hot(one, tf.as_dtype(tree.compute_dtype))
        np.testing.assert_array_equal(tree.code(value), one)
    last = edges[-1:]
    assert np.isfinite(tree.log_prob(x[:1], tree.one_hot(last))).all()
    assert np.isneginf(tree.log_prob(x[:1], tree.one_hot(last + 1))).all()


def test_codes_outside_the_tree_have_no_value():
    tree, codes = made("ragged"), tf.constant([-1, 24])
    with pytest.raises(ValueError, match=r"\[0, 24\), the leaves of the tree"):
        tree.one_hot(codes)
    value = tf.function(tree.one_hot)(codes)
    assert not np.any(value) and np.isneginf(tree.log_prob(X, value)).all()


def test_saving(tmp_path):
    inputs = keras.Input([5])
    options = {"hidden_units": (), "estimator": ["nvil", "reinmax", "daps"]}
    model = keras.Model(inputs, AutoregressiveTree(**CASES["masked"], **options)(inputs))
    assert model.output_shape == (None, 3, 4)
    one = model.layers[-1]
    for variable in one.weights:
        variable.assign(variable.value + 0.1)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X), model(X))
    other = again.layers[-1]
    assert [type(layer).__name__ for layer in other.estimators] == ["NVIL", "ReinMax", "DAPS"]
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert one.leaves.masked == other.leaves.masked
    np.testing.assert_array_equal(one.entropy(X), other.entropy(X))


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: AutoregressiveTree(65, (4, 4, 4)), "must reach num_categories"),
        (lambda: AutoregressiveTree(64, (4, 4, 4), masked=[(4,)]), "masked must be prefixes"),
        (
            lambda: AutoregressiveTree(64, (4, 4, 4), hidden_units=(0,)),
            "hidden_units must be a sequence",
        ),
        (lambda: made().mode(X, beam=0), "beam must be at least 1"),
        (lambda: AutoregressiveTree(8, (2, 4))(tf.zeros([3])), "features"),
        (lambda: made(estimator="gumbel_softmax"), "must be one-hot"),
        (
            lambda: made(estimator="slope_annealed_straight_through"),
            "drawn from softmax.*SlopeAnnealed",
        ),
        (lambda: made(estimator="rebar"), "ragged or masked tree.*estimator=REBAR"),
        (lambda: made("masked", estimator="relax"), "objective_control=False"),
        (lambda: made(estimator=["reinmax"] * 2), "one for each of the 3"),
        (lambda: made(estimator="daps").estimate(objective, X, None), "at least 2 samples"),
        (
            lambda: AutoregressiveTree(2**20, (32,) * 4).entropy(X),
            "at most 65536. Take entropy_along of samples.*num_categories=1048576",
        ),
        (lambda: AutoregressiveTree(2**20, (32,) * 4).enumerate(), "Take sample"),
        (lambda: AutoregressiveTree(2**20, (32,) * 4).kl_divergence(X), "Take kl_along of samples"),
    ],
)
def test_bad_input_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
