import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import layers, schedules, seeds
from tf_discrete.distributions import kinds

LOGITS = tf.random.stateless_normal([3, 2, 4], [0, 1])


def _same(a, b):
    return bool(tf.reduce_all(tf.equal(a, b)))


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_inference_mode_draw_and_mean(latents):
    distribution = kinds.get(latents)(LOGITS)
    make = {
        kind: layers.StochasticLayer(latents=latents, inference=kind)
        for kind in ("mode", "draw", "mean")
    }
    np.testing.assert_array_equal(make["mode"](LOGITS), distribution.mode())
    np.testing.assert_allclose(make["mean"](LOGITS), distribution.probs, rtol=1e-6)
    np.testing.assert_array_equal(
        make["draw"](LOGITS, seed=3), distribution.sample(seeds.base(3), num_samples=1)[0]
    )


def test_every_call_draws_anew_and_a_given_seed_repeats():
    layer = layers.StochasticLayer(inference="draw")
    logits = tf.zeros([50, 2, 4])
    for training in (True, False):
        first, second = layer(logits, training=training), layer(logits, training=training)
        assert not _same(first, second)
        given = [layer(logits, training=training, seed=s) for s in (1, 1, 2, seeds.base(1))]
        assert _same(given[0], given[1]) and _same(given[0], given[3])
        assert not _same(given[0], given[2])


def test_training_and_inference_share_no_noise():
    layer = layers.StochasticLayer("straight_through", inference="draw", seed=0)
    logits = tf.zeros([50, 2, 4])
    assert not _same(layer(logits, training=True), layer(logits))


def test_layers_of_one_model_share_no_noise():
    logits = tf.zeros([50, 2, 4])
    fresh = [layers.StochasticLayer(), layers.StochasticLayer()]
    assert fresh[0].seed != fresh[1].seed
    same_seed = [layers.StochasticLayer(seed=1), layers.StochasticLayer(seed=1)]
    for one, two in (fresh, same_seed):
        assert not _same(one(logits, training=True), two(logits, training=True))


def test_a_fresh_seed_is_fixed_by_keras_seed_and_kept_in_the_config():
    keras.utils.set_random_seed(7)
    first = layers.StochasticLayer()
    keras.utils.set_random_seed(7)
    assert layers.StochasticLayer().seed == first.seed
    assert layers.StochasticLayer.from_config(first.get_config()).seed == first.seed


def test_a_call_starts_from_the_seed_that_was_announced():
    layer = layers.StochasticLayer(inference="draw", seed=3)
    for training in (True, False):
        seed = layer.next_seed(training)
        drawn = layer(LOGITS, training=training)
        assert _same(drawn, layer(LOGITS, training=training, seed=seed))


def test_only_training_moves_the_step_and_the_schedules():
    layer = layers.StochasticLayer(
        temperature=schedules.Linear(1.0, 0.5, steps=10),
        kl_weight=schedules.Linear(0.0, 1.0, steps=10),
        inference="draw",
    )
    for _ in range(3):
        layer(LOGITS, training=True)
    for _ in range(2):
        layer(LOGITS)
    assert int(layer.step) == 3 and int(layer.inference_step) == 2
    # The last training call was that of step 2.
    assert float(layer.estimator.temperature.value) == pytest.approx(0.9)
    assert float(layer.kl_weight.value) == pytest.approx(0.2)


def test_the_schedule_is_what_the_draw_uses():
    layer = layers.StochasticLayer(temperature=schedules.Linear(1.0, 0.5, steps=1))
    at_start = layer(LOGITS, training=True, seed=0)
    later = layer(LOGITS, training=True, seed=0)
    for temperature, value in ((1.0, at_start), (0.5, later)):
        constant = layers.StochasticLayer(temperature=temperature)
        np.testing.assert_allclose(constant(LOGITS, training=True, seed=0), value, rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_noise_is_drawn_in_float32(policy):
    """Gumbel noise in half precision puts most of many equal categories into the first quarter."""
    layer = layers.StochasticLayer("straight_through", dtype=policy, seed=0)
    value = layer(tf.zeros([4, 128, 4096], layer.compute_dtype), training=True)
    assert value.dtype == layer.compute_dtype
    first_quarter = np.mean(tf.argmax(value, axis=-1).numpy() < 1024)
    assert abs(first_quarter - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 512)


def test_temperature_is_not_rounded_by_the_policy():
    """Keras' autocast would read 0.3 as 0.30078125 in bfloat16."""
    exact, mixed = (
        layers.StochasticLayer(temperature=0.3, dtype=policy)(LOGITS, training=True, seed=1)
        for policy in ("float32", "mixed_bfloat16")
    )
    np.testing.assert_array_equal(tf.cast(exact, tf.bfloat16), mixed)


def test_float64_logits_are_computed_in_float64():
    layer = layers.StochasticLayer(dtype="float64", inference="mean")
    logits = tf.constant([[[0.0, 1e-9]]], tf.float64)
    value = layer(logits)
    assert value.dtype == tf.float64 and value[0, 0, 1] > value[0, 0, 0]


def test_records_the_logits_of_calls():
    layer = layers.StochasticLayer()
    layer(LOGITS)
    with layer.record() as outer, layer.record() as inner:
        layer(LOGITS)
        layer(2 * LOGITS)
    layer(LOGITS)
    assert len(outer) == len(inner) == 2
    np.testing.assert_array_equal(outer[1][0], 2 * LOGITS)


@pytest.mark.parametrize(
    "latents, shape, message",
    [
        ("categorical", [3, 4], r"put keras.layers.Reshape.*inputs.shape=\(3, 4\)"),
        ("categorical", [3, 4, 1], r"at least 2 categories.*inputs.shape=\(3, 4, 1\)"),
        ("bernoulli", [3], r"\[batch, ..., num_variables\].*inputs.shape=\(3,\)"),
    ],
)
def test_refuses_logits_of_a_wrong_shape(latents, shape, message):
    layer = layers.StochasticLayer(latents=latents)
    with pytest.raises(ValueError, match=message):
        layer(tf.zeros(shape))
    with pytest.raises(ValueError, match=message):
        layers.StochasticLayer(latents=latents)(keras.Input(batch_shape=shape))
    layer(tf.zeros([3, 4, 2]))
    with pytest.raises(ValueError, match=message):
        layer(tf.zeros(shape))


@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_a_kl_needs_known_axes(prior):
    layer = layers.StochasticLayer(kl_weight=1.0, prior=prior)
    with pytest.raises(ValueError, match=r"Fix the last axes.*\(None, None, 4\)"):
        layer(keras.Input([None, 4]))
