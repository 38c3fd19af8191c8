"""A kind of one's own: what it need not write, and its name."""

import numpy as np
import pytest
import tensorflow as tf

from tests.distributions.generic_logits import LOGITS, PRIOR
from tf_discrete import seeds
from tf_discrete.distributions import (
    Bernoulli,
    Categorical,
    Relaxable,
    discrete,
    get_relaxable,
    kinds,
)

_random = np.random.RandomState(0)


class Plain(discrete.Discrete):
    """The least that a kind must say of itself: a categorical one, by what `Discrete` makes of it."""

    latents = "plain"

    @property
    def category_log_probs(self):
        return tf.nn.log_softmax(self.logits)


def of_both(method):
    """What a method gives for `Plain`, and for `Categorical` in closed form."""
    return [method(cls) for cls in (Plain, Categorical)]


METHODS = {
    "probs": lambda q, p, z: q.probs,
    "mode": lambda q, p, z: q.mode(),
    "log_prob": lambda q, p, z: q.log_prob(z),
    "multilinear_log_prob": lambda q, p, z: q.multilinear_log_prob(0.5 * z + 0.1),
    "score": lambda q, p, z: q.score(z),
    "score of samples": lambda q, p, z: q.score(tf.stack([z, tf.roll(z, 1, axis=-1)])),
    "weighted_scores": lambda q, p, z: q.weighted_scores(
        tf.constant(_random.randint(5, size=[4, 3, 2])), tf.constant(LOGITS["categorical"][..., :2])
    ),
    "probs_vjp": lambda q, p, z: q.probs_vjp(tf.sin(q.logits)),
    "entropy": lambda q, p, z: q.entropy(),
    "kl": lambda q, p, z: q.kl_divergence(p),
    "enumerate": lambda q, p, z: q.enumerate(),
    "flatten": lambda q, p, z: q.flatten(z),
    "code": lambda q, p, z: q.code(z),
}


@pytest.mark.parametrize("name", METHODS)
def test_what_a_kind_need_not_write_agrees_with_the_closed_form(name):
    z = Categorical(LOGITS["categorical"]).sample(seeds.base(2), 1)[0]

    def evaluate(cls):
        _random.seed(3)
        q, p = cls(tf.constant(LOGITS["categorical"])), cls(tf.constant(PRIOR["categorical"]))
        return METHODS[name](q, p, z)

    ours, closed = of_both(evaluate)
    np.testing.assert_allclose(ours, closed, atol=1e-12)


def test_a_kind_that_cannot_be_relaxed_samples_its_probabilities():
    distribution = Plain(LOGITS["categorical"])
    frequency = tf.reduce_mean(distribution.sample(seeds.base(0), 50_000), axis=0)
    p = distribution.probs.numpy()
    assert np.max(np.abs(frequency - p) / np.sqrt(p * (1 - p) / 50_000)) < 5.5


@pytest.fixture
def plain():
    with kinds.REGISTRY.restored():
        kinds.register(Plain)
        yield


def test_a_registered_kind_is_known_by_its_name(plain):
    assert kinds.get("plain") is kinds.register(Plain) is Plain
    assert kinds.names() == ("categorical", "bernoulli", "plain")
    assert kinds.names(Relaxable) == ("categorical", "bernoulli")
    with pytest.raises(ValueError, match="have a relaxation.*Received: latents='plain'"):
        get_relaxable("plain")


def test_the_name_of_a_kind_must_be_new():
    class Other(Plain):
        latents = "categorical"

    with pytest.raises(ValueError, match="must be new.*name='categorical', registered for .*Cat"):
        kinds.register(Other)
    assert kinds.get("categorical") is Categorical


def test_shapes_and_sizes():
    assert Categorical.value_shape(3, 5) == Categorical.logits_shape(3, 5) == (3, 5)
    assert Bernoulli.value_shape(3, 2) == Bernoulli.logits_shape(3, 2) == (3,)
    assert Categorical.sizes_of((None, 5)) == (None, 5) and Bernoulli.sizes_of((3,)) == (3, 2)
    assert Plain.check_sizes(3, 5) == Categorical.check_sizes(3, 5) == (3, 5)
    with pytest.raises(ValueError, match="Set num_categories=2. Received: num_categories=3"):
        Bernoulli.check_sizes(4, 3)
    with pytest.raises(ValueError, match="may have at most.*num_variables=2000000000"):
        Categorical.check_sizes(2_000_000_000, 2)
    with pytest.raises(ValueError, match=r"plain latents must have.*inputs.shape=\(3, 5\)"):
        Plain.check_logits((3, 5))
    Plain.check_logits((None, 3, 5))
