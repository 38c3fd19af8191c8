"""What reads the codes of models takes those of a trained quantised autoencoder, of every quantiser."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import callbacks, codes, datasets, evaluation
from tf_discrete.layers.quantizers import (
    FiniteScalarQuantizer,
    GroupedQuantizer,
    LookupFreeQuantizer,
    ResidualQuantizer,
    SimVQ,
    VectorQuantizer,
)
from tf_discrete.models import AutoregressivePrior, QuantizedAutoencoder

CASES = {
    "vector": lambda: VectorQuantizer(64),
    "residual": lambda: ResidualQuantizer(VectorQuantizer(16), 2, beam_size=2),
    "grouped": lambda: GroupedQuantizer(VectorQuantizer(16), 2),
    "sim_vq": lambda: SimVQ(64),
    "finite_scalar": lambda: FiniteScalarQuantizer((8, 4)),
    "bits": lambda: LookupFreeQuantizer(4, bits_per_code=1),
    "many": lambda: LookupFreeQuantizer(18),
}
DIGITS = datasets.get("digits", "train", max_examples=96)
IMAGES = tf.constant(next(iter(DIGITS.batches(96)))["image"])


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(case, marks=() if case == "residual" else pytest.mark.slow) for case in CASES
    ],
)
def trained(request):
    keras.utils.set_random_seed(0)
    model = QuantizedAutoencoder(
        DIGITS.image_shape, CASES[request.param](), latent_shape=(2, 4), hidden_units=(32,)
    )
    if request.param != "many":
        model.adapt(IMAGES)
    model.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    usage = callbacks.CollapseWarning(IMAGES, every=3, begin=9)
    history = model.fit(IMAGES, batch_size=32, epochs=3, callbacks=[usage], verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    return model, history, usage


def test_meters_count_codes_without_one_hots(trained):
    model, history, meter = trained
    encoded = codes.encode_batches(model, [IMAGES])
    found = evaluation.collect_usage(model, [IMAGES[:40], IMAGES[40:]])
    counts = [np.unique(column, return_counts=True)[1] for column in encoded.T]
    shares = [count / 96 for count in counts]
    information = [-(share * np.log(share)).sum() for share in shares]
    np.testing.assert_allclose(found.mutual_information, information)
    np.testing.assert_allclose(found.perplexity, np.exp(information))
    np.testing.assert_array_equal((found.counts > 0).sum(axis=1), [len(c) for c in counts])
    np.testing.assert_array_equal(meter.usage.counts, found.counts)
    assert history["usage/active_units"] == [found.active_units]
    largest = max(np.prod(tensor.shape) for tensor in meter._read(IMAGES) if tensor is not None)
    assert largest == encoded.size


def test_codes_are_packed_searched_compressed_and_learned(trained, tmp_path):
    pytest.importorskip("constriction")
    model, _, _ = trained
    encoded, categories = codes.encode_digits(model, [IMAGES])
    packed = codes.pack(encoded, categories)
    np.testing.assert_array_equal(codes.unpack(packed, model.num_variables, categories), encoded)
    distinct = codes.collisions(encoded, categories).num_distinct
    assert distinct == len(np.unique(encoded, axis=0)) > 1
    if categories > 65536:  # Such codes are for lookup; bits_per_code=1 gives bits to search.
        for reader in (codes.CodeIndex, lambda c, k: AutoregressivePrior(c.shape[1], k)):
            with pytest.raises(ValueError, match="Received: .*262144"):
                reader(encoded, categories)
        return
    found = codes.CodeIndex(encoded, categories).search(encoded[:5], k=1)
    np.testing.assert_array_equal(found.distances, 0)
    np.testing.assert_array_equal(encoded[found.indices[:, 0]], encoded[:5])
    prior = AutoregressivePrior.for_model(model, units=4, chunk_size=1)
    prior.compile("adam", run_eagerly=True)
    prior.fit(encoded[:32], batch_size=32, verbose=0)
    codes.compress(encoded[:8], prior, tmp_path / "codes.bin")
    np.testing.assert_array_equal(codes.decompress(tmp_path / "codes.bin", prior), encoded[:8])
    assert model.sample(3, 0, prior=prior).shape == (3, *DIGITS.image_shape)


def test_a_collapsed_codebook_is_told_with_advice():
    model = QuantizedAutoencoder(DIGITS.image_shape, VectorQuantizer(8), (2, 4), hidden_units=(4,))
    meter = callbacks.CollapseWarning(tf.ones_like(IMAGES))
    meter.set_model(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        meter.on_epoch_end(0, logs := {})
    assert logs["usage/collapsed_units"] == 2 and logs["usage/active_units"] == 0
    assert "2 of 2 latent variables have collapsed" in str(caught[-1].message)
    assert "raise the quantiser's dead_threshold" in str(caught[-1].message)
