"""Two stochastic layers with the score estimators that draw continuous noise: gradients of both layers.

The problem is that of `nesting_test`. The inner layer draws its noise inside the objective from one seed,
so all evaluations of the outer estimator share it. Each of many draws has its own copy of the logits and
the weights between the layers, so its gradient is seen alone.
"""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tests.estimators.nesting_test import INNER, LOGITS, OUTER, PAIR, WEIGHTS, truth
from tf_discrete import estimators, seeds
from tf_discrete.estimators import mean

NUM_DRAWS = 20_000
OUTERS = ["score_function", "nvil", "muprop", "rebar", "relax", "disarm", "carms", "double_cv"]
OUTERS += ["sum_and_sample"]
INNERS = ["score_function", "muprop", "rebar", "disarm", "arm"]
PAIRS = [(outer, "score_function") for outer in OUTERS]
PAIRS += [("disarm", "carms"), ("disarm", "double_cv"), ("double_cv", "disarm")]
PAIRS += [("rebar", inner) for inner in INNERS[1:]] + [("disarm", inner) for inner in INNERS[1:]]


def objective(z1, z2):
    table = tf.reduce_sum(z1[..., 0, :, tf.newaxis, tf.newaxis] * PAIR, axis=-3)
    x, y = z2[..., 0], z2[..., 1]
    mixed = table[..., 0, 0] * x + table[..., 0, 1] * y + table[..., 1, 0] * x * y
    return tf.sin(mixed) + table[..., 1, 1] * x


def drawn_gradients(outer, inner, inner_reduce):
    """Gradients for the logits and for the weights between the layers, [draws, ...] each."""
    logits = tf.broadcast_to(LOGITS, [NUM_DRAWS, 1, OUTER])
    weights = tf.broadcast_to(WEIGHTS, [NUM_DRAWS, OUTER, INNER])
    noise = outer.draw_noise(seeds.base(5), logits, 2)

    def layer(z1):
        between = tf.reduce_sum(z1[..., 0, :, tf.newaxis] * weights, axis=-2)
        between += 0.3 * z1[..., 0, :2] ** 2
        inner_noise = inner.draw_noise(seeds.base(6), between, num_samples=None)
        return inner.estimate(
            lambda z2: objective(z1, z2), between, inner_noise, reduce=inner_reduce
        )

    with tf.GradientTape() as tape:
        tape.watch([logits, weights])
        estimate = outer.estimate(layer, logits, noise, reduce=mean)
    assert estimate.value.shape == estimate.auxiliary.shape == [NUM_DRAWS]
    return tape.gradient(estimate.value, [logits, weights])


@pytest.mark.one_in(4)
@pytest.mark.parametrize("inner_reduce", [None, mean], ids=["apart", "reduced"])
@pytest.mark.parametrize("outer,inner", PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_gradients_of_both_layers_are_unbiased(outer, inner, inner_reduce):
    if outer == "sum_and_sample" and inner_reduce is mean:
        pytest.skip("refused: see sum_and_sample_test")
    _, *exact = truth(mean)
    pair = estimators.get(outer), estimators.get(inner, latents="bernoulli")
    for drawn, expected in zip(drawn_gradients(*pair, inner_reduce), exact, strict=True):
        drawn, expected = drawn.numpy(), expected.numpy()
        error = drawn.std(axis=0, ddof=1) / np.sqrt(NUM_DRAWS)
        critical = scipy.stats.norm.isf(1e-6 / expected.size)
        assert np.all(np.abs(drawn.mean(axis=0) - expected) < critical * error + 1e-12)
        # What the test would have seen, with probability 1 - 1e-6.
        detectable = (2 * critical * error).max()
        print(f"detectable bias {detectable:.4f} of at most {np.abs(expected).max():.4f}")
        assert detectable < np.abs(expected).max()


@pytest.mark.parametrize("inner_name", ["score_function", "rebar", "disarm"])
def test_nested_layers_learn_at_once_and_reach_nothing_else(inner_name):
    outer, inner = estimators.get("rebar"), estimators.get(inner_name, latents="bernoulli")
    logits, weights = tf.Variable(LOGITS), tf.Variable(WEIGHTS)
    noise = outer.draw_noise(seeds.base(5), logits, 2)

    def layer(z1):
        between = tf.reduce_sum(z1[..., 0, :, tf.newaxis] * weights, axis=-2)
        inner_noise = inner.draw_noise(seeds.base(6), between, num_samples=None)
        return inner.estimate(
            lambda z2: objective(z1, z2), between, inner_noise, reduce=None, training=True
        )

    with tf.GradientTape(persistent=True) as tape:
        auxiliary = outer.estimate(layer, logits, noise, training=True).auxiliary
    own = [v.value for v in (*outer.trainable_variables, *inner.trainable_variables)]
    assert len(own) == (4 if inner_name == "rebar" else 2)
    gradients = tape.gradient(auxiliary, own)
    assert np.isfinite(gradients).all() and np.all(np.array(gradients) != 0)
    assert tape.gradient(auxiliary, [logits, weights]) == [None, None]
