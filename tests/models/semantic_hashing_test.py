"""The semantic hashing autoencoder: its objective, its bits, its bytes, its files."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tf_discrete import callbacks, schedules, seeds
from tf_discrete.models import AutoregressivePrior, SemanticHashingAutoencoder

X = tf.cast(tf.random.stateless_uniform([6, 4, 4, 1], [0, 1]), tf.float32)


def make(num_bits=5, **changes):
    """A model with weights far from their start."""
    keras.utils.set_random_seed(1)
    model = SemanticHashingAutoencoder((4, 4, 1), num_bits, hidden_units=(7,), **changes)
    random = np.random.RandomState(3)
    for variable in model.trainable_variables:
        variable.assign(random.normal(scale=0.7, size=variable.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return make()


def cross_entropy(x, logits):
    """Binary cross-entropy in nats of flat pixels, summed, by NumPy."""
    x, logits = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (x, logits))
    return -(x * scipy.special.log_expit(logits) + (1 - x) * scipy.special.log_expit(-logits)).sum(
        axis=1
    )


def test_the_objective_is_the_cross_entropy_at_the_noisy_bits(model):
    noise = model.estimator.draw_noise(seeds.base(4), model.logits(X))
    bits = model.estimator.sample(model.logits(X), noise).value[0]
    terms = model.objective(X, seeds.base(4), training=True)
    expected = cross_entropy(X, model.decoder(bits))
    np.testing.assert_allclose(terms.loss, expected, rtol=1e-5)
    np.testing.assert_allclose(terms.terms["reconstruction_nats"], expected, rtol=1e-5)
    assert not terms.auxiliary.numpy().any()


def test_every_gradient_path_reaches_the_logits_bit_by_bit(model):
    """d loss / d logit = d loss / d z * the slope of the saturating sigmoid, rounded or not."""
    logits = model.logits(X)
    noise = model.estimator.draw_noise(seeds.base(4), logits)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        z = model.estimator.sample(logits, noise).value
        loss = -model.conditional_log_likelihood(X, z)
    x = (logits + noise[0, ..., 0]).numpy()
    s = 1 / (1 + np.exp(-x))
    inside = (1.2 * s - 0.1 > 0) & (1.2 * s - 0.1 < 1)
    slope = np.where(inside, 1.2 * s * (1 - s), 0)
    expected = tape.gradient(loss, z)[0] * slope
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, rtol=1e-4, atol=1e-6)
    rounded = noise[0, ..., 1].numpy() < 0.5
    for part in (inside & rounded, inside & ~rounded):
        assert part.any() and np.abs(expected.numpy()[part]).min() > 0


def test_hard_terms_score_the_deterministic_bits(model):
    bits = (model.logits(X).numpy() > 0).astype(np.float32)
    expected = cross_entropy(X, model.decoder(bits))
    for seed in (0, 1):  # Nothing is drawn.
        hard = model.hard_terms(X, seeds.base(seed))
        np.testing.assert_allclose(hard["hard_reconstruction_nats"], expected, rtol=1e-5)
        np.testing.assert_allclose(hard["hard_elbo_nats"], -expected - 5 * np.log(2), rtol=1e-5)


def test_the_hard_bound_lies_below_the_likelihood():
    """Of black and white pixels, over all codes under the uniform prior."""
    model, x = make(num_bits=3), tf.round(X)
    codes = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T
    scores = np.stack(
        [
            -cross_entropy(x, model.decoder(np.tile(code, [6, 1]).astype(np.float32)))
            for code in codes
        ]
    )
    exact = scipy.special.logsumexp(scores, axis=0) - 3 * np.log(2)
    hard = model.hard_terms(x, seeds.base(0))["hard_elbo_nats"].numpy()
    assert (hard < exact).all()
    bound = model.log_likelihood(x, 4000, seed=3, chunk=4000).numpy()
    assert (bound < exact + 0.2).all() and (bound > hard).all()


def test_inference_is_deterministic(model):
    bits = model.encode(X)
    assert bits.dtype == tf.int32
    np.testing.assert_array_equal(bits, model.logits(X) > 0)
    np.testing.assert_array_equal(model.encode(X), bits)
    means = scipy.special.expit(model.decoder(tf.cast(bits, tf.float32)).numpy())
    np.testing.assert_allclose(model.reconstruct(X), means, rtol=1e-5)
    np.testing.assert_array_equal(model(X), model.reconstruct(X))
    phi = scipy.stats.norm.cdf(model.logits(X).numpy())
    np.testing.assert_allclose(model.encode_probs(X), phi, rtol=1e-4)


@pytest.mark.parametrize("num_bits", [1, 7, 8, 9, 30, 64])
def test_any_number_of_bits_is_packed_as_numpy_does(num_bits):
    model = make(num_bits)
    packed = model.encode_packed(X).numpy()
    assert packed.dtype == np.uint8 and packed.shape == (6, -(-num_bits // 8))
    np.testing.assert_array_equal(packed, np.packbits(model.encode(X).numpy(), axis=1))
    assert model.decode(model.sample_codes(3, 0)).shape == (3, 4, 4, 1)


def test_codes_are_drawn_uniformly_or_from_a_prior(model):
    codes = model.sample_codes(20_000, 0).numpy()
    assert codes.dtype == np.int32 and set(np.unique(codes)) == {0, 1}
    assert (np.abs(codes.mean(axis=0) - 0.5) < 5 * 0.5 / np.sqrt(len(codes))).all()
    np.testing.assert_array_equal(model.sample_codes(4, 0), model.sample_codes(4, 0))
    assert (model.sample_codes(99, 0) != model.sample_codes(99, 1)).numpy().any()
    prior = AutoregressivePrior.for_model(model, chunk_size=2, units=4)
    drawn = prior.sample(50, seed=0)
    assert (drawn != model.sample_codes(50, 0)).numpy().any()
    np.testing.assert_array_equal(model.sample_codes(50, 0, prior=prior), drawn)
    np.testing.assert_array_equal(model.sample(50, 0, prior=prior), model.decode(drawn))


@pytest.mark.slow
def test_training_drives_the_code_to_its_extremes_and_the_error_down():
    model = make(num_bits=6, discrete_fraction=schedules.Linear(0.0, 0.5, steps=100))
    model.compile(keras.optimizers.Adam(0.01), steps_per_execution=20)
    data = tf.data.Dataset.from_tensors({"image": tf.round(X)}).repeat(400)
    before = model.evaluate(data.take(20), return_dict=True, verbose=0)
    sure = np.abs(model.logits(tf.round(X))).mean()
    logs = model.fit(data, verbose=0).history
    after = model.evaluate(data.take(20), return_dict=True, verbose=0)
    assert after["hard_reconstruction_nats"] < 0.4 * before["hard_reconstruction_nats"]
    assert np.abs(model.logits(tf.round(X))).mean() > 2 * sure
    assert logs["discrete_fraction"][-1] == 0.5


def test_keras_file_round_trip(tmp_path):
    model = make(
        num_bits=11,
        noise_stddev=0.7,
        discrete_fraction=schedules.Linear(0.0, 0.6, steps=100),
        flip_probability=0.1,
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.encode(X), model.encode(X))
    np.testing.assert_array_equal(
        again.objective(X, seeds.base(1), True).loss, model.objective(X, seeds.base(1), True).loss
    )


@pytest.mark.one_in(2)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_under_xla_and_mixed_precision(policy):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = make(num_bits=9, flip_probability=0.1)
        compiled = policy == "mixed_bfloat16"
        model.compile("sgd", jit_compile=compiled, run_eagerly=not compiled)
        logs = model.train_on_batch(X, return_dict=True)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert np.isfinite(list(logs.values())).all()
    assert set(np.unique(model.encode(X))) <= {0, 1}
    assert model.encode_packed(X).shape == (6, 2)


def test_own_networks_and_other_likelihoods():
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    model = SemanticHashingAutoencoder(
        (4,), 3, encoder=encoder, decoder=decoder, likelihood="gaussian"
    )
    assert np.isfinite(model.objective(tf.ones([2, 4]), seeds.base(0), True).loss).all()
    with pytest.raises(ValueError, match="give a decoder too.*Received: decoder=None"):
        SemanticHashingAutoencoder((4,), 3, encoder=encoder)


def test_bits_that_are_stuck_are_told_of_with_what_helps_them():
    model = make()
    model.encoder.layers[-1].bias.assign([9.0, 0.0, 0.0, 0.0, -9.0])
    model.encoder.layers[-1].kernel.assign(
        model.encoder.layers[-1].kernel * [0.0, 1.0, 1.0, 1.0, 0.0]
    )
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    with pytest.warns(UserWarning, match="2 of 5 .* collapsed: 0, 4.*Raise noise_stddev"):
        model.fit(X, verbose=0, callbacks=[callbacks.CollapseWarning(X)])


@pytest.mark.parametrize("num_bits", [0, -3])
def test_codes_without_bits_are_refused(num_bits):
    with pytest.raises(ValueError, match=f"must be at least 1. Received: num_bits={num_bits}"):
        SemanticHashingAutoencoder((4,), num_bits)


def test_the_base_leaves_the_prior_and_the_objective_to_the_models(model):
    from tf_discrete.models.autoencoder import DiscreteAutoencoder

    with pytest.raises(NotImplementedError):
        DiscreteAutoencoder.prior_distribution(model)
    with pytest.raises(NotImplementedError):
        DiscreteAutoencoder._objective(model, X, seeds.base(0), training=True)
