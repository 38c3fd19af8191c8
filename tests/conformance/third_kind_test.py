"""A kind of latents that the library does not know runs through all of it, by registering it alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import codes, distributions, estimators, export, layers, models, seeds
from tf_discrete.distributions import kinds
from tf_discrete.estimators import diagnostics

N, K = 2, 3
_random = np.random.RandomState(0)
LOGITS = tf.constant(_random.normal(size=[2, N, K - 1]))
WEIGHTS = tf.constant(_random.normal(size=[N, K]))
X = tf.constant(_random.uniform(size=[20, 4, 4, 1]), tf.float32)


class Ordinal(distributions.Discrete):
    """Ordered categories by continuation ratios: K - 1 logits, of stopping at each category but the last."""

    latents = "ordinal"
    code_meaning = "rank"

    @classmethod
    def logits_shape(cls, num_variables, num_categories):
        return (num_variables, num_categories - 1)

    @classmethod
    def sizes_of(cls, logits_shape):
        num_variables, steps = logits_shape
        return num_variables, None if steps is None else steps + 1

    @classmethod
    def uniform_logits(cls, num_categories):
        return -np.log(np.arange(num_categories - 1, 0, -1))

    @property
    def category_log_probs(self):
        stop, go = tf.math.log_sigmoid(self.logits), tf.math.log_sigmoid(-self.logits)
        reached = tf.cumsum(tf.pad(go, [[0, 0]] * (go.shape.rank - 1) + [[1, 0]]), axis=-1)
        return reached + tf.pad(stop, [[0, 0]] * (stop.shape.rank - 1) + [[0, 1]])


@pytest.fixture(autouse=True, scope="module")
def ordinal():
    with kinds.REGISTRY.restored():
        kinds.register(Ordinal)
        yield


def cubic(z):
    return tf.reduce_sum(WEIGHTS * z, axis=[-2, -1]) ** 3


def linear(z):
    return tf.reduce_sum(WEIGHTS * z, axis=[-2, -1])


def test_the_distribution():
    distribution = Ordinal(LOGITS)
    p = distribution.category_probs.numpy()
    first, second = tf.sigmoid(LOGITS).numpy().transpose(2, 0, 1)
    stages = [first, (1 - first) * second, (1 - first) * (1 - second)]
    np.testing.assert_allclose(p, np.stack(stages, axis=-1), rtol=1e-12)
    with tf.GradientTape() as tape:
        tape.watch(LOGITS)
        log_prob = Ordinal(LOGITS).log_prob(distribution.mode())
    np.testing.assert_allclose(
        distribution.score(distribution.mode()), tape.gradient(log_prob, LOGITS), rtol=1e-12
    )
    uniform = distributions.LatentSpec(N, K, "ordinal").uniform()
    np.testing.assert_allclose(uniform.category_probs, np.full([N, K], 1 / K), rtol=1e-6)


def test_estimators_take_the_kind_if_it_has_what_they_need():
    generic = set(estimators.names(latents="ordinal"))
    assert {"enumeration", "score_function", "straight_through", "vimco"} <= generic
    assert not generic & {"arm", "disarm", "gumbel_softmax", "rebar", "reinmax"}
    for name in set(estimators.names()) - generic:
        with pytest.raises(ValueError, match="latents only.*Received: latents='ordinal'"):
            estimators.get(name, latents="ordinal")


def value_and_gradient(estimator):
    noise = estimator.draw_noise(seeds.base(0), LOGITS, estimator.min_samples)
    with tf.GradientTape() as tape:
        tape.watch(LOGITS)
        value = estimator.estimate(linear, LOGITS, noise).value
    return value, tape.gradient(value, LOGITS)


@pytest.mark.parametrize("name", estimators.names())
def test_an_estimator_needs_the_interface_that_it_declares(name, monkeypatch):
    """Of `Discrete` it works with a kind that has nothing else; of more it does not."""
    cls = estimators.get_class(name)
    if cls.spec.only:
        pytest.skip(f"{name} is defined for {cls.spec.only} alone")
    if cls.spec.interface is distributions.Discrete:
        value, gradient = value_and_gradient(cls(latents="ordinal"))
        assert np.isfinite(value).all() and np.isfinite(gradient).all()
        return
    monkeypatch.setattr(cls, "spec", cls.spec._replace(interface=distributions.Discrete))
    with pytest.raises((AttributeError, ValueError)):
        value_and_gradient(cls(latents="ordinal"))


@pytest.mark.parametrize(
    "name,arguments",
    [
        ("enumeration", {}),
        ("enumeration", {"mode": "per_variable"}),
        ("muprop", {}),
        ("score_function", {}),
        ("score_function", {"baseline": "none"}),
        ("vimco", {}),
    ],
)
def test_score_estimators_are_exact_by_enumeration(name, arguments):
    exact = diagnostics.exact_gradient(cubic, LOGITS, "ordinal")
    estimator = estimators.get(name, latents="ordinal", **arguments)
    found = diagnostics.expected_gradient(estimator, cubic, LOGITS)
    np.testing.assert_allclose(found.value, exact.value, atol=1e-12)
    np.testing.assert_allclose(found.gradient, exact.gradient, atol=1e-12)


@pytest.mark.parametrize("mode", ["joint", "per_variable"])
def test_sum_and_sample_shows_no_bias(mode):
    estimator = estimators.get("sum_and_sample", latents="ordinal", mode=mode, num_summed=2)
    found = diagnostics.measure(estimator, cubic, LOGITS, seeds.base(0), 4_000)
    assert not found.is_biased and found.detectable_bias.max() < np.abs(found.exact).max()


def test_sum_and_sample_of_all_configurations_is_exact():
    estimator = estimators.get("sum_and_sample", latents="ordinal", num_summed=K**N)
    exact = diagnostics.exact_gradient(cubic, LOGITS, "ordinal")
    with tf.GradientTape() as tape:
        tape.watch(LOGITS)
        noise = estimator.draw_noise(seeds.base(0), LOGITS)
        value = estimator.estimate(cubic, LOGITS, noise).value
    np.testing.assert_allclose(value, exact.value, atol=1e-12)
    np.testing.assert_allclose(tape.gradient(value, LOGITS), exact.gradient, atol=1e-12)


def test_straight_through_is_exact_for_linear_objectives():
    exact = diagnostics.exact_gradient(linear, LOGITS, "ordinal")
    estimator = estimators.get("straight_through", latents="ordinal")
    found = diagnostics.expected_gradient(estimator, linear, LOGITS)
    np.testing.assert_allclose(found.gradient, exact.gradient, atol=1e-12)


@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_the_stochastic_layer(prior, tmp_path):
    layer = layers.StochasticLayer(
        "straight_through", latents="ordinal", kl_weight=0.1, prior=prior, seed=1, inference="mean"
    )
    head = layers.LatentHead(N, K, latents="ordinal")
    model = keras.Sequential([keras.Input([16]), head, layer, keras.layers.Flatten()])
    assert head.compute_output_shape((None, 16)) == (None, N, K - 1)
    assert layer.compute_output_shape((None, N, K - 1)) == (None, N, K)
    model.add(keras.layers.Dense(1))
    model.compile("sgd", loss="mse", run_eagerly=True)
    rows = tf.reshape(X, [20, 16])
    model.fit(rows, rows[:, :1], verbose=0)
    drawn = layer(head(rows), training=True).numpy()
    np.testing.assert_array_equal(np.sort(drawn, axis=-1), np.tile(np.eye(K)[-1], [20, N, 1]))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(rows), model(rows), rtol=1e-6)


@pytest.mark.parametrize("estimator", ["straight_through", "enumeration"])
def test_the_autoencoder(estimator, tmp_path):
    model = models.CategoricalVAE(
        (4, 4, 1),
        num_variables=N,
        num_categories=K,
        latents="ordinal",
        hidden_units=(8,),
        estimator=estimator,
        prior="learned",
    )
    assert model.latent_spec.logits_shape == (N, K - 1) and model.decoder.input_shape == (
        None,
        N,
        K,
    )
    np.testing.assert_allclose(model.prior_distribution().probs, np.full([N, K], 1 / K), rtol=1e-6)
    model.compile("sgd")
    assert np.isfinite(model.train_step(X)["hard_elbo_nats"])
    assert model.sample(3, seed=0).shape == [3, 4, 4, 1]
    assert np.isfinite(model.log_likelihood(X, 3)).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.encode(X), model.encode(X))
    np.testing.assert_allclose(again.encode_probs(X), model.encode_probs(X), rtol=1e-6)


def test_codes_and_export(tmp_path):
    model = models.CategoricalVAE(
        (4, 4, 1), N, K, latents="ordinal", hidden_units=(8,), estimator="straight_through"
    )
    found = codes.encode_batches(model, [X[:15], X[15:]])
    packed = codes.pack(found, model.num_categories)
    np.testing.assert_array_equal(codes.unpack(packed, N, K), found)
    manifest = export.save(model, tmp_path / "exported")
    assert (manifest.latents, manifest.latent_shape) == ("ordinal", (N, K))
    assert manifest.codes["value"] == "rank" and manifest.codes["max"] == K - 1
    assert export.load_manifest(tmp_path / "exported") == manifest
    served = tf.saved_model.load(str(tmp_path / "exported")).signatures
    answer = served["encode"](image=X)["codes"]
    np.testing.assert_array_equal(answer, found)
    np.testing.assert_allclose(
        served["decode"](codes=answer)["image"], model.decode(answer), rtol=1e-5
    )


def test_several_layers():
    arguments = {"latents": "ordinal", "estimator": "straight_through", "hidden_units": ()}
    model = models.CategoricalVAE((4, 4, 1), (3, 2), K, **arguments)
    model.compile("sgd")
    history = model.fit(X, epochs=1, batch_size=10, verbose=0).history
    assert np.isfinite(history["hard_elbo_nats"]).all()
    assert model.encode(X).shape == [20, 5] and model.reconstruct(X).shape == X.shape
    with pytest.raises(ValueError, match=r"as many categories in every layer.*=\[3, 4\]"):
        models.CategoricalVAE((4, 4, 1), 2, (K, K + 1), **arguments)


def test_what_needs_a_relaxation_says_so():
    with pytest.raises(ValueError, match="GumbelSoftmax supports categorical and bernoulli"):
        layers.StochasticLayer(latents="ordinal")
    with pytest.raises(ValueError, match="have a relaxation.*Received: latents='ordinal'"):
        distributions.get_relaxable("ordinal")
