"""The semi-supervised model on the features of another (M1+M2)."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import models

SHIFTED = models.Regularization(augmentation=models.Augmentation(shift=1))
X = tf.cast(tf.random.stateless_uniform([5, 4, 4, 1], [0, 1]) > 0.5, tf.float32)


def make(latents: str = "categorical", estimator: str = "gumbel_softmax"):
    categories = 3 if latents == "categorical" else 2
    m1 = models.CategoricalVAE(
        (4, 4, 1),
        num_variables=2,
        num_categories=categories,
        latents=latents,
        estimator=estimator,
        hidden_units=(5,),
    )
    extractor, decoder = models.feature_networks(m1)
    m2 = models.SemiSupervisedVAE(
        (4, 4, 1),
        num_classes=3,
        style_size=2,
        hidden_units=(5,),
        feature_extractor=extractor,
        feature_decoder=decoder,
    )
    return m1, m2


@pytest.mark.parametrize(
    "latents, estimator",
    [
        ("categorical", "gumbel_softmax"),
        ("bernoulli", "gumbel_softmax"),
        # Its codes are those of flatter logits.
        ("categorical", "decoupled_straight_through_gumbel_softmax"),
    ],
)
def test_features_are_the_probabilities_of_the_code(latents, estimator):
    m1, m2 = make(latents, estimator)
    probs = m1.encode_probs(X)
    np.testing.assert_allclose(m2.features(X), tf.reshape(probs, [5, -1]), rtol=1e-6)
    decoded = m1.likelihood.mean(m1.decoder(probs))
    np.testing.assert_allclose(m2.feature_decoder(m2.features(X)), decoded, rtol=1e-5)
    assert m2.transfer(X).shape == (5, 3, 4, 4, 1)


def test_the_features_stay_as_they_are(tmp_path):
    _, m2 = make()
    m2.compile("adam", run_eagerly=True)
    before = [w.numpy() for w in m2.feature_extractor.weights]
    logs = m2.train_on_batch(X, tf.constant([0, 1, 2, -1, -1]), return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    for one, other in zip(before, m2.feature_extractor.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not {id(v) for v in m2.trainable_variables} & {id(v) for v in m2.feature_decoder.weights}
    m2.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.transfer(X), m2.transfer(X))
    np.testing.assert_array_equal(loaded.log_likelihood(X, 3, 1), m2.log_likelihood(X, 3, 1))


def test_refused():
    _, m2 = make()
    cases = [
        ({"feature_decoder": m2.feature_decoder}, "Give both, or neither. Received: feature_ext"),
        (
            {"feature_extractor": max},
            "feature_extractor must be a Keras model.*Received: feature_e",
        ),
        (
            {"feature_extractor": m2.feature_extractor, "feature_decoder": m2.feature_extractor},
            None,
        ),
        (
            {"feature_extractor": m2.feature_extractor, "regularization": SHIFTED},
            "Only images .* can be shifted.*Received: shift=1",
        ),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            models.SemiSupervisedVAE((4, 4, 1), num_classes=3, hidden_units=(5,), **arguments)
    wrong = keras.Sequential([keras.Input([6]), keras.layers.Dense(7)])
    with pytest.raises(ValueError, match="feature_decoder must give images of shape .4, 4, 1."):
        models.SemiSupervisedVAE(
            (4, 4, 1), feature_extractor=m2.feature_extractor, feature_decoder=wrong
        )
