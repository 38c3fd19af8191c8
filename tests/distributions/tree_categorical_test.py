"""A tree of digits is the categorical distribution over its leaves."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tf_discrete import distributions, estimators, seeds
from tf_discrete.distributions import Categorical, LatentSpec, mixed_radix
from tf_discrete.distributions.configurations import joint_configurations
from tf_discrete.estimators import diagnostics

BRANCHINGS = [(4, 4, 4), (2, 3, 5), (6,)]
_random = np.random.RandomState(0)


def tree_of(branching):
    return distributions.get(distributions.tree_latents(branching))


def logits_of(branching, num_variables=2, batch=(3,), scale=1.0):
    shape = [*batch, num_variables * len(branching), max(branching)]
    return tf.constant(np.random.RandomState(1).normal(scale=scale, size=shape))


def dense(branching, logits):
    """The same distribution with one logit for each leaf, by the definition."""
    depth = len(branching)
    grouped = logits.numpy().reshape(*logits.shape[:-2], -1, depth, logits.shape[-1])
    total = np.zeros([*grouped.shape[:-2], 1])
    for level, children in enumerate(branching):
        own = grouped[..., level, :children]
        own = own - np.log(np.exp(own).sum(-1, keepdims=True))
        total = (total[..., np.newaxis] + own[..., np.newaxis, :]).reshape(*total.shape[:-1], -1)
    return Categorical(tf.constant(total))


@pytest.mark.parametrize("branching", BRANCHINGS)
def test_it_is_the_dense_categorical_distribution(branching):
    logits, other = logits_of(branching), logits_of(branching, scale=2.0)
    q, p = tree_of(branching)(logits), tree_of(branching)(other)
    dense_q, dense_p = dense(branching, logits), dense(branching, other)
    codes = _random.randint(np.prod(branching), size=[50, 3, 2])
    np.testing.assert_allclose(
        q.log_prob(q.one_hot(codes)), dense_q.log_prob(dense_q.one_hot(codes)), atol=1e-12
    )
    np.testing.assert_allclose(q.entropy_per_variable(), dense_q.entropy_per_variable(), atol=1e-12)
    np.testing.assert_allclose(q.kl_per_variable(p), dense_q.kl_per_variable(dense_p), atol=1e-12)
    np.testing.assert_array_equal(q.code(q.mode()), dense_q.code(dense_q.mode()))


@pytest.mark.parametrize("branching", BRANCHINGS)
def test_frequencies_of_samples(branching):
    count, categories = 40_000, int(np.prod(branching))
    logits = logits_of(branching, num_variables=1, batch=(), scale=0.5)
    q = tree_of(branching)(logits)
    codes = q.code(q.sample(seeds.base(3), count)).numpy().ravel()
    expected = count * dense(branching, logits).probs.numpy().ravel()
    assert expected.min() > 5
    observed = np.bincount(codes, minlength=categories)
    assert stats.chisquare(observed, expected * count / expected.sum()).pvalue > 1e-4


def test_enumeration_lists_the_leaves_only():
    branching = (2, 3)
    q = tree_of(branching)(logits_of(branching))
    configurations = q.enumerate()
    assert configurations.shape == [36, 4, 3]
    np.testing.assert_array_equal(q.code(configurations), joint_configurations(2, 6))
    total = tf.reduce_sum(tf.exp(q.log_prob(configurations[:, tf.newaxis])), axis=0)
    np.testing.assert_allclose(total, np.ones(3), atol=1e-12)
    with pytest.raises(ValueError, match="At most 65536.*num_variables=1, num_categories=1048576"):
        tree_of((32,) * 4)(tf.zeros([4, 32])).enumerate()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("branching", [(32,) * 4, (1000,) * 3, (64,) * 10, (7, 1024, 1024, 1024)])
def test_codes_are_exact_in_every_dtype(branching, dtype):
    kind, categories = tree_of(branching), int(np.prod([1, *branching], dtype=object))
    q = kind(tf.zeros([2 * len(branching), max(branching)], dtype))
    edges = {0, 1, 2**24 + 1, 2**31 - 1, 2**31 + 1, 2**53 + 1, categories - 2, categories - 1}
    codes = np.array(sorted(code for code in edges if code < categories), np.int64)
    codes = np.stack([codes, codes[::-1]], axis=1)
    value = tf.cast(q.one_hot(codes), dtype)
    found = q.code(value)
    assert found.dtype == tf.int64
    np.testing.assert_array_equal(found, codes)
    np.testing.assert_array_equal(tf.function(q.code)(value), codes)
    np.testing.assert_array_equal(kind.join_digits(kind.digits(codes)), codes)


def test_codes_outside_the_tree_are_refused_or_impossible():
    """They wrapped around to other categories."""
    q = tree_of((2, 3, 5))(logits_of((2, 3, 5), 1, [4]))
    codes = tf.constant([[-1], [30], [29], [0]])
    for method in (q.digits, q.one_hot, q.code_log_prob):
        with pytest.raises(ValueError, match=r"\[0, 30\).*minimum=-1, maximum=30"):
            method(codes)

    @tf.function(autograph=False)
    def in_a_graph(codes):
        value = q.one_hot(codes)
        return q.digits(codes), value, q.code_log_prob(codes), q.log_prob(value)

    digits, value, of_code, of_value = in_a_graph(codes)
    assert (digits[:2].numpy() == -1).all() and not np.any(value[:2])
    assert np.isneginf(of_code[:2]).all() and np.isneginf(of_value[:2]).all()
    inside = q.one_hot([[0], [0], [29], [0]])
    np.testing.assert_array_equal(value[2:], inside[2:])
    np.testing.assert_allclose(of_code[2:], q.log_prob(inside)[2:])
    np.testing.assert_allclose(of_value[2:], q.log_prob(inside)[2:])


def test_uniform_over_a_billion():
    spec = LatentSpec(1, 10**9, distributions.tree_latents((1000, 1000, 1000)))
    assert spec.shape == spec.logits_shape == (3, 1000) and spec.num_logits == 3000
    uniform = spec.uniform(tf.float64)
    np.testing.assert_allclose(uniform.entropy(), np.log(1e9), rtol=1e-12)
    codes = uniform.code(uniform.sample(seeds.base(0), 2000)).numpy()
    assert codes.max() < 10**9 and len(np.unique(codes)) == 2000
    assert abs(codes.mean() / 10**9 - 0.5) < 6 * np.sqrt(1 / 12 / 2000)


def test_masked_digits():
    """The first child of every node at depth 2 and the subtree of the root's last child are left out."""
    branching = (3, 4)
    masked = [(1, 0), (0, 2)]
    logits = logits_of(branching, num_variables=1)
    logits += distributions.digit_mask(branching, masked, logits.dtype)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        q = tree_of(branching)(logits)
        total = tf.reduce_sum(q.entropy() + q.kl_divergence(q) + q.log_prob(q.mode()))
    assert np.isfinite(total) and np.isfinite(tape.gradient(total, logits)).all()
    codes = q.code(q.sample(seeds.base(0), 500)).numpy()
    assert set(np.unique(codes)) == {1, 2, 3, 5, 6, 7}
    np.testing.assert_allclose(q.entropy(), dense(branching, logits).entropy(), atol=1e-12)
    prior = LatentSpec(1, 12, "tree:3,4").uniform(tf.float64)
    assert np.isfinite(q.kl_divergence(prior)).all() and np.isposinf(prior.kl_divergence(q)).all()


ENUMERATED = [
    ("enumeration", {}),
    ("enumeration", {"mode": "per_variable"}),
    ("score_function", {"baseline": "none"}),
    ("score_function", {}),
    ("double_cv", {}),
    ("muprop", {}),
    ("nvil", {}),
    ("vimco", {}),
]


@pytest.mark.parametrize("name,arguments", ENUMERATED)
@pytest.mark.parametrize("branching", [(4, 4, 4), (2, 3)])
def test_unbiased_estimators_are_exact_by_enumeration(name, arguments, branching):
    latents, logits = distributions.tree_latents(branching), logits_of(branching, 1, [2])
    if name in ("double_cv", "vimco") and branching == (4, 4, 4):  # They take pairs of samples.
        logits = logits[:1]
    weights = tf.constant(_random.normal(size=logits.shape[-2:]))

    def cubic(z):
        return tf.reduce_sum(weights * z, axis=[-2, -1]) ** 3

    exact = diagnostics.exact_gradient(cubic, logits, latents)
    dense_q = dense(branching, logits)
    by_leaf = cubic(tree_of(branching)(logits[0]).one_hot(np.arange(np.prod(branching))[:, None]))
    np.testing.assert_allclose(exact.value, tf.linalg.matvec(dense_q.probs[:, 0], by_leaf))
    found = diagnostics.expected_gradient(
        estimators.get(name, latents=latents, **arguments), cubic, logits
    )
    np.testing.assert_allclose(found.value, exact.value, atol=1e-11)
    np.testing.assert_allclose(found.gradient, exact.gradient, atol=1e-11)


SAMPLED = {
    "carms": {},
    "disarm": {},
    "arsm": {},
    "rebar": {},
    "relax": {},
    "sum_and_sample": {"mode": "per_variable", "num_summed": 2},
}


@pytest.mark.parametrize("name", SAMPLED)
def test_sampling_estimators_show_no_bias(name):
    latents = "tree:3,2"
    logits = logits_of((3, 2), 1, [1])
    weights = tf.constant([[1.0, -0.5, 0.3], [0.2, 0.9, 0.0]], tf.float64)

    def quadratic(z):
        return tf.reduce_sum(weights * z, axis=[-2, -1]) ** 2

    estimator = estimators.get(name, latents=latents, **SAMPLED[name])
    found = diagnostics.measure(estimator, quadratic, logits, seeds.base(0), 4_000)
    exact = diagnostics.exact_gradient(quadratic, logits, latents)
    np.testing.assert_allclose(found.exact, exact.gradient, atol=1e-12)
    assert not found.is_biased and found.detectable_bias.max() < np.abs(found.exact).max()


def test_no_estimator_that_is_declared_unbiased_is_left_out():
    names = estimators.names(latents="tree:3,2")
    unbiased = {name for name in names if estimators.get_class(name).spec.exact_for == "any"}
    assert unbiased == {name for name, _ in ENUMERATED} | set(SAMPLED)


@pytest.mark.parametrize("name", estimators.names(latents="tree:3,2"))
def test_every_estimator_of_categories_takes_digits(name):
    """Also where the digits have different sizes: what is not there is never sampled and has no gradient."""
    assert estimators.get_class(name).spec.takes("categorical")
    latents, logits = "tree:3,2", tf.cast(logits_of((3, 2), 1, [2]), tf.float32)
    estimator = estimators.get(name, latents=latents)
    estimator.build((None, *logits.shape[1:]), None)
    seen = []

    def linear(z):
        seen.append(z)
        return tf.reduce_sum(z * [[1.0, 2.0, 3.0], [1.0, -1.0, 5.0]], axis=[-2, -1])

    with tf.GradientTape() as tape:
        tape.watch(logits)
        noise = estimator.draw_noise(seeds.base(0), logits, max(4, estimator.min_samples))
        value = estimator.estimate(linear, logits, noise).value
    gradient = tape.gradient(value, logits)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    assert all(float(tf.reduce_max(tf.abs(z[..., 1, 2]))) == 0 for z in seen)
    np.testing.assert_array_equal(gradient[..., 1, 2], np.zeros(2))


@pytest.mark.parametrize("name", ["arm", "semantic_hashing"])
def test_estimators_of_bits_do_not(name):
    with pytest.raises(ValueError, match="supports bernoulli latents only.*latents='tree:4,4'"):
        estimators.get(name, latents="tree:4,4")


@pytest.mark.parametrize(
    "make,said",
    [
        (lambda: distributions.get("tree"), "such as latents='tree:32,32,32,32'.*latents='tree'"),
        (lambda: distributions.get("tree:4,x"), "Received: latents='tree:4,x'"),
        (lambda: distributions.get("tree:4,1"), r"integers >= 2.*branching=\[4, 1\]"),
        (lambda: distributions.get("tree:4,-4"), "Received: latents='tree:4,-4'"),
        (
            lambda: distributions.get("categorical:4"),
            "take no parameters. Set latents='categorical'",
        ),
        (lambda: distributions.get("tree:" + ",".join(["2"] * 63)), "64 bits.*9223372036854775808"),
        (lambda: distributions.tree_latents([]), r"integers >= 2.*branching=\[\]"),
        (lambda: distributions.tree_latents([32.0]), r"Received: branching=\[32.0\]"),
        (
            lambda: LatentSpec(1, 2**20, "tree:32,32,32"),
            r"Set num_categories=32768, or branching=\(32, 32, 32, 32\). Received",
        ),
        (lambda: LatentSpec(1, 37, "tree:6,6"), "num_categories=36, or branching=.37,.. Received"),
        (lambda: LatentSpec(1, 2**63, "tree:32,32"), "num_categories must be at most"),
        (lambda: LatentSpec(2**20, 2**24, "tree:4096,4096"), "at most 2147483647 logits"),
        (lambda: distributions.TreeCategorical(tf.zeros([4, 4])), "must name the children"),
        (lambda: tree_of((4, 4))(tf.zeros([3, 4])), r"num_variables \* 2, 4\].*=\(None, 3, 4\)"),
        (lambda: tree_of((4, 4))(tf.zeros([2, 5])), r"LatentHead\(num_variables, 16, 'tree:4,4'"),
        (lambda: mixed_radix.balanced_branching(2**31 - 1), "prime factors"),
        (lambda: distributions.digit_mask((2, 3), [(0, 0), (0, 1)]), r"none at depths \[0\]"),
        (lambda: distributions.digit_mask((2, 3), [(0, 2)]), r"Received: \(0, 2\)"),
        (lambda: distributions.digit_mask((2, 3), [(2, 0)]), r"Received: \(2, 0\)"),
        (lambda: distributions.digit_mask((2, 3), [1]), "pairs of a depth and a child"),
        (lambda: mixed_radix.balanced_branching(1), "at least 2"),
    ],
)
def test_bad_input_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_classes_are_one_and_the_same_for_a_branching():
    assert distributions.get("tree:4,4") is tree_of([4, 4])
    assert "tree" not in distributions.names()
    assert tree_of((4, 4)).latents == "tree:4,4"
