"""The KL that a layer adds: its value, its scale, and the gradient of a model that has it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import layers, losses, models, schedules, seeds
from tf_discrete.distributions import kinds

LOGITS = tf.random.stateless_normal([3, 5, 2, 4], [0, 1])


def _kl(logits, latents="categorical"):
    return kinds.get(latents)(logits).kl_divergence(kinds.get(latents)(tf.zeros_like(logits)))


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
@pytest.mark.parametrize("training", [True, False])
def test_is_summed_over_all_axes_but_the_batch(latents, training):
    layer = layers.StochasticLayer(latents=latents, kl_weight=0.25)
    layer(LOGITS, training=training)
    per_example = tf.reduce_sum(tf.reshape(_kl(LOGITS, latents), [3, -1]), axis=1)
    np.testing.assert_allclose(layer.losses, [0.25 * tf.reduce_mean(per_example)], rtol=1e-5)
    np.testing.assert_allclose(layer.kl_nats.result(), tf.reduce_mean(per_example), rtol=1e-5)


def test_each_call_leaves_one_loss():
    layer = layers.StochasticLayer(kl_weight=1.0)
    for _ in range(3):
        layer(LOGITS, training=True)
        assert len(layer.losses) == 1


def test_an_empty_batch_adds_nothing():
    layer = layers.StochasticLayer(kl_weight=1.0)
    assert layer(LOGITS[:0], training=True).shape == (0, 5, 2, 4)
    assert float(layer.losses[0]) == 0.0


def test_no_weight_no_loss():
    layer = layers.StochasticLayer()
    layer(LOGITS, training=True)
    assert layer.losses == [] and layer.metrics == []


def test_is_that_of_the_distributions_in_half_precision():
    layer = layers.StochasticLayer(kl_weight=1.0, dtype="mixed_float16")
    logits = 20.0 * LOGITS
    layer(logits, training=True)
    assert layer.losses[0].dtype == tf.float32
    np.testing.assert_allclose(layer.losses[0], tf.reduce_sum(_kl(logits)) / 3, rtol=1e-6)


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_masked_timesteps_do_not_count(latents):
    mask = tf.constant([[True] * 5, [True, False, True, False, False], [False] * 5])
    broken = tf.where(mask[..., None, None], LOGITS, float("nan"))
    layer = layers.StochasticLayer(latents=latents, kl_weight=1.0)
    logits = tf.Variable(broken)
    with tf.GradientTape() as tape:
        layer(logits, mask=mask)
        loss = layer.losses[0]
    expected = tf.boolean_mask(_kl(LOGITS, latents), mask)
    np.testing.assert_allclose(loss, tf.reduce_sum(expected) / 3, rtol=1e-5)
    gradient = tape.gradient(loss, logits)
    assert np.isfinite(gradient).all() and not np.any(gradient[2])


def test_masks_pass_through_a_model():
    inputs = keras.Input([None, 6])
    masked = keras.layers.Masking(mask_value=-1.0)(inputs)
    layer = layers.GumbelSoftmax(kl_weight=1.0)
    z = layer(layers.LatentHead(2, 3)(masked))
    model = keras.Model(inputs, z)
    x = tf.random.stateless_normal([2, 4, 6], [0, 1])
    padded = tf.concat([x, -tf.ones([2, 3, 6])], axis=1)
    alone, with_padding = model(x), model(padded)
    assert with_padding._keras_mask.numpy().tolist() == [[True] * 4 + [False] * 3] * 2
    np.testing.assert_array_equal(with_padding[:, :4], alone)
    model(x)
    expected = float(model.losses[0])
    model(padded)
    assert float(model.losses[0]) == pytest.approx(expected, rel=1e-5)


def test_two_layers_log_under_two_names():
    model = keras.Sequential(
        [
            layers.LatentHead(2, 3),
            layers.GumbelSoftmax(kl_weight=1.0, name="first"),
            keras.layers.Flatten(),
            layers.LatentHead(2, 3),
            layers.GumbelSoftmax(kl_weight=1.0, name="second"),
            keras.layers.Flatten(),
        ]
    )
    model.compile("sgd", loss="mse")
    x, y = np.zeros([4, 5], "float32"), np.zeros([4, 6], "float32")
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    for name in ("first_kl_nats", "second_kl_nats"):
        assert name in history and f"val_{name}" in history


@pytest.mark.parametrize(
    "estimator, latents, shape",
    [
        ("gumbel_softmax", "categorical", (3, 4)),
        ("gumbel_softmax", "bernoulli", (3,)),
        ("reinmax", "categorical", (3, 4)),
    ],
)
@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_gradient_of_a_fitted_functional_model_is_that_of_the_categorical_vae(
    estimator, latents, shape, prior, monkeypatch
):
    """The same networks and noise: one step of plain SGD at rate 1 moves the weights by the gradient."""
    vae = models.CategoricalVAE(
        (6, 6, 1),
        num_variables=3,
        num_categories=shape[-1] if latents == "categorical" else 2,
        latents=latents,
        hidden_units=(8,),
        estimator=estimator,
        temperature=0.7,
        kl_weight=0.3,
        prior=prior,
    )
    layer = layers.StochasticLayer(
        estimator, temperature=0.7, latents=latents, kl_weight=0.3, prior=prior
    )
    inputs = keras.Input([6, 6, 1])
    logits = keras.layers.Reshape(shape)(vae.encoder(inputs))
    model = keras.Model(inputs, vae.decoder(layer(logits)))
    model.compile(
        keras.optimizers.SGD(1.0), loss=losses.NegativeLogLikelihood("bernoulli"), run_eagerly=True
    )
    if prior == "learned":
        start = tf.random.stateless_normal(shape, [4, 5])
        vae.prior.last.logits.assign(start)
        layer.prior.logits.assign(start)
    x = np.random.default_rng(0).integers(0, 2, [7, 6, 6, 1]).astype("float32")
    # The model folds the seed of a step with the number of the stochastic layer.
    noise = seeds.fold(seeds.base(0), "layer", 0)
    monkeypatch.setattr(layer, "_draw_seed", lambda *arguments: noise)

    shared = [*vae.encoder.trainable_variables, *vae.decoder.trainable_variables]
    of_vae = [*shared, vae.prior.last.logits] if prior == "learned" else shared
    of_model = [*shared, layer.prior.logits] if prior == "learned" else shared
    with tf.GradientTape() as tape:
        terms = vae.objective(x, seeds.base(0), training=True)
        loss = tf.reduce_mean(terms.loss)
    expected = tape.gradient(loss, [variable.value for variable in of_vae])

    before = [variable.numpy() for variable in of_model]
    history = model.fit(x, x, batch_size=7, shuffle=False, verbose=0).history
    moved = [old - variable.numpy() for old, variable in zip(before, of_model, strict=True)]
    assert history["loss"][0] == pytest.approx(float(loss), rel=1e-5)
    assert history[f"{layer.name}_kl_nats"][0] == pytest.approx(
        float(tf.reduce_mean(terms.terms["kl_nats"])), rel=1e-4
    )
    for ours, theirs in zip(moved, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
        assert np.any(theirs)


def test_warm_up_weighs_the_kl_by_the_step():
    layer = layers.StochasticLayer(kl_weight=schedules.Linear(0.0, 1.0, steps=4))
    total = tf.reduce_sum(_kl(LOGITS)) / 3
    for step in range(6):
        layer(LOGITS, training=True)
        np.testing.assert_allclose(layer.losses[0], min(1.0, step / 4) * total, rtol=1e-5)
