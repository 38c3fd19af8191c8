"""The quantised autoencoder: its objective, its codes and all that works on codes."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tf_discrete import callbacks, codes, evaluation, seeds
from tf_discrete.layers.quantizers import (
    FiniteScalarQuantizer,
    GroupedQuantizer,
    LookupFreeQuantizer,
    ResidualQuantizer,
    VectorQuantizer,
)
from tf_discrete.models import AutoregressivePrior, QuantizedAutoencoder

X = tf.cast(tf.random.stateless_uniform([6, 4, 4, 1], [0, 1]), tf.float32)

QUANTIZERS = {
    "vector": lambda: VectorQuantizer(7, commitment_weight=0.5),
    "residual": lambda: ResidualQuantizer(VectorQuantizer(5), 2),
    "grouped": lambda: GroupedQuantizer(FiniteScalarQuantizer((3, 3)), 2),
    "bits": lambda: LookupFreeQuantizer(4, bits_per_code=1),
}


def make(quantizer="vector", **options):
    """A model with weights far from their start."""
    keras.utils.set_random_seed(1)
    options = {"latent_shape": (3, 4), "hidden_units": (7,), **options}
    model = QuantizedAutoencoder((4, 4, 1), QUANTIZERS[quantizer](), **options)
    random = np.random.RandomState(3)
    for network in (model.encoder, model.decoder):
        for variable in network.trainable_variables:
            variable.assign(random.normal(scale=0.7, size=variable.shape))
    model.adapt(X)
    return model


def cross_entropy(x, logits):
    x, logits = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (x, logits))
    log_expit = scipy.special.log_expit
    return -(x * log_expit(logits) + (1 - x) * log_expit(-logits)).sum(axis=1)


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_codes_decode_to_what_is_trained(quantizer):
    model = make(quantizer)
    vectors = tf.reshape(model.encoder(X), [6, 3, 4])
    found = model.quantizer.quantize_vectors(vectors)
    encoded = model.encode(X)
    np.testing.assert_array_equal(encoded, tf.reshape(found.codes, [6, -1]))
    assert encoded.dtype == tf.int32 and encoded.shape == (6, model.num_variables)
    logits = model.decoder(found.vectors)
    np.testing.assert_allclose(model.decode(encoded), tf.sigmoid(logits), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(model.reconstruct(X), model.decode(encoded))
    expected, extra = cross_entropy(X, logits), tf.reduce_sum(found.loss, axis=1)
    terms = model.objective(X, seeds.base(0), training=False)
    np.testing.assert_allclose(terms.terms["reconstruction_nats"], expected, rtol=1e-4)
    np.testing.assert_allclose(terms.loss, expected + extra, rtol=1e-4)
    hard = model.hard_terms(X, seeds.base(0))
    bound = -expected - model.num_variables * np.log(model.num_categories)
    np.testing.assert_allclose(hard["hard_elbo_nats"], bound, rtol=1e-4)
    np.testing.assert_allclose(model.log_likelihood(X, 3), bound, rtol=1e-4)


def test_the_loss_of_the_quantiser_has_a_weight():
    quantizer = VectorQuantizer(7, loss_weight=0.25)
    model = QuantizedAutoencoder((4, 4, 1), quantizer, latent_shape=(3, 4), hidden_units=(7,))
    model.set_weights(make().get_weights())
    found = model.objective(X, seeds.base(0), training=False)
    expected = found.terms["reconstruction_nats"] + 0.25 * found.terms["quantizer_loss"]
    np.testing.assert_allclose(found.loss, expected, rtol=1e-6)
    assert model.get_config()["quantizer"]["config"]["loss_weight"] == 0.25


def test_what_reads_codes_works_without_a_special_case():
    model = make("residual")
    encoded = codes.encode_batches(model, [X])
    packed = codes.pack(encoded, model.num_categories)
    unpacked = codes.unpack(packed, model.num_variables, model.num_categories)
    np.testing.assert_array_equal(unpacked, encoded)
    usage = evaluation.collect_usage(model, [X])
    np.testing.assert_array_equal(usage.counts.sum(axis=1), 6)
    np.testing.assert_allclose(model.encode_probs(X).numpy().argmax(-1), encoded)
    prior = AutoregressivePrior.for_model(model, chunk_size=1, units=4)
    assert model.sample(3, 0, prior=prior).shape == (3, 4, 4, 1)
    assert model.sample(3, 0).shape == (3, 4, 4, 1)
    reader = callbacks.CodeUsageCallback(X)
    reader.set_model(model)
    np.testing.assert_array_equal(reader.measure().counts, usage.counts)


def test_fit_lowers_the_loss_and_trains_the_prior():
    model = make("vector", code_prior=lambda n, k: AutoregressivePrior(n, k, units=4))
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    before = model.evaluate(X, return_dict=True, verbose=0)
    model.fit(X, epochs=5, verbose=0)
    after = model.evaluate(X, return_dict=True, verbose=0)
    assert after["hard_reconstruction_nats"] < before["hard_reconstruction_nats"]
    assert after["reconstruction_nats"] == pytest.approx(
        after["hard_reconstruction_nats"], rel=1e-4
    )
    assert after["prior_nats"] < 1.5 * model.num_variables * np.log(7)


def test_keras_file_round_trip(tmp_path):
    model = make("grouped")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.encode(X), model.encode(X))
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))


def test_a_saved_model_refuses_codes_out_of_range(tmp_path):
    model = make("vector")
    model.export(str(tmp_path / "served"))
    signature = tf.saved_model.load(str(tmp_path / "served")).signatures
    encoded = signature["encode"](image=X)["codes"]
    np.testing.assert_array_equal(encoded, model.encode(X))
    np.testing.assert_allclose(
        signature["decode"](codes=encoded)["image"], model.decode(encoded), atol=1e-6
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="codes must"):
        signature["decode"](codes=encoded + 7)
    with pytest.raises(ValueError, match=r"codes must lie in \[0, num_categories\)"):
        model.decode(encoded + 7)
    assert "encode_probs" not in signature


def test_a_grid_of_codes_of_convolutions():
    encoder = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Conv2D(5, 3, strides=2, padding="same")]
    )
    decoder = keras.Sequential(
        [keras.Input((2, 2, 5)), keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same")]
    )
    model = QuantizedAutoencoder(
        (4, 4, 1), VectorQuantizer(6), latent_shape=(2, 2, 5), encoder=encoder, decoder=decoder
    )
    assert model.encode(X).shape == (6, 4) and model.reconstruct(X).shape == X.shape


def test_each_token_of_a_grid_stands_for_its_part_of_the_image():
    model = QuantizedAutoencoder(
        (16, 16, 1), VectorQuantizer(32), (4, 4, 3), encoder="conv_grid", hidden_units=(5, 6)
    )
    random = np.random.RandomState(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(scale=0.7, size=variable.shape))
    x = random.uniform(size=[20, 16, 16, 1]).astype(np.float32)
    model.adapt(x)
    before = model.encode(x).numpy()
    x[:, :4, :4] = 1.0 - x[:, :4, :4]  # The first cell.
    changed = (model.encode(x).numpy() != before).any(axis=0).reshape(4, 4)
    assert changed[0, 0] and not changed[3:].any() and not changed[:, 3:].any()
    prior = AutoregressivePrior.for_model(model, units=4)
    assert prior.num_chunks == 16 and model.sample(2, 0, prior=prior).shape == (2, 16, 16, 1)


def test_a_grid_that_does_not_fit_is_refused():
    options = {"encoder": "conv_grid", "hidden_units": (5, 6)}
    with pytest.raises(ValueError, match="size is a multiple of 9.*Received: 32 numbers"):
        QuantizedAutoencoder((9, 10, 1), VectorQuantizer(8), (4, 8), **options)
    with pytest.raises(ValueError, match=r"multiple of 9.*Received: latent_shape=\(4, 9\)"):
        QuantizedAutoencoder((9, 10, 1), VectorQuantizer(8), (4, 9), **options)
    for shape, decoder in itertools.product([(6, 6, 8), (9, 1, 8)], [None, "mlp"]):
        with pytest.raises(
            ValueError, match=r"grid of 3 x 3 cells. Give \(3, 3, size.*\(\d, \d, 8\)"
        ):
            QuantizedAutoencoder((9, 10, 1), VectorQuantizer(8), shape, **options, decoder=decoder)
    QuantizedAutoencoder((9, 10, 1), VectorQuantizer(8), (3, 3, 8), **options)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = make("residual")
        model.compile("sgd", run_eagerly=True)
        logs = model.train_on_batch(X, return_dict=True)
        encoded = model.encode(X)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert np.isfinite(list(logs.values())).all()
    np.testing.assert_array_equal(model.decode(encoded), model.reconstruct(X))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="num_groups must divide.*vectors of size 5"):
        make("grouped", latent_shape=(3, 5))
    with pytest.raises(
        ValueError, match="The codes of a model are int32.*Received: num_categories="
    ):
        QuantizedAutoencoder((4,), LookupFreeQuantizer(40))
    with pytest.raises(ValueError, match="latent_shape must be.*Received: latent_shape=()"):
        QuantizedAutoencoder((4,), latent_shape=())
    with pytest.raises(ValueError, match="quantizer must be a quantiser.*Received: quantizer='vq'"):
        QuantizedAutoencoder((4,), "vq")
    with pytest.raises(
        ValueError, match="at least as many vectors.*Received: 3 vectors, num_codewords=7"
    ):
        make().adapt(X[:1])
