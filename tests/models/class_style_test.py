"""The networks of class and style: the image's part is computed once, batch norm, networks of one's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import semi_supervised_models as small
from tf_discrete.models import (
    ConditionalNetwork,
    conditional_networks,
)


@pytest.mark.parametrize("inference", ["enumeration", "gumbel_softmax", "rebar"])
def test_the_images_part_of_the_first_layer_is_computed_once(inference, monkeypatch):
    model = small.make(estimator=inference, num_samples=2)
    rows = []
    network = model.style_encoder.image_network

    def counted(x, training=False):
        rows.append(len(x))
        return network(x, training=training)

    monkeypatch.setattr(model.style_encoder, "image_network", counted)
    small.terms(model, small.X)
    assert rows == [6]


def test_named_networks_normalise_pairs_row_by_row():
    model = small.make(normalization="batch", hidden_units=(5, 4))
    norms = conditional_networks.batch_norms
    assert len(norms(model.classifier)) == 2
    assert len(norms(model.style_encoder.image_network)) == 1
    assert norms(model.style_encoder.head, model.decoder) == []


def test_batch_norm_does_not_mix_the_classes_of_an_image():
    model = small.with_batch_norm(estimator="enumeration")
    norms = conditional_networks.batch_norms(model.style_encoder, model.decoder)
    for norm in norms:
        norm.moving_mean.assign(tf.linspace(-0.5, 0.5, 5))
    found = small.terms(model, small.X)
    truth = small.bounds(model, small.X)  # One class after the other, with stored statistics.
    np.testing.assert_allclose(found.loss, -truth["unlabelled"], rtol=1e-5)
    assert all(norm.trainable for norm in norms)


def test_batch_norm_learns_from_real_classes_only():
    label = tf.constant([0, 1, 2, 0, 1, 2])
    joint, other = (
        small.with_batch_norm(estimator=name) for name in ("gumbel_softmax", "enumeration")
    )
    for model in (joint, other):
        small.terms(model, (small.X, label))
    norms = [
        conditional_networks.batch_norms(model.style_encoder, model.decoder)
        for model in (joint, other)
    ]
    for one, two in zip(*norms, strict=True):
        np.testing.assert_allclose(one.moving_mean, two.moving_mean, rtol=1e-5)
        assert np.any(one.moving_mean.numpy())
    dense = joint.style_encoder.head.layers[-3]
    inputs = tf.concat([small.X, tf.one_hot(label, 3)], -1)
    np.testing.assert_allclose(
        norms[0][0].moving_mean, 0.5 * tf.reduce_mean(dense(inputs), axis=0), rtol=1e-4
    )
    # Without labels the classes are one-hot samples: the mean of the inputs is one of whole counts.
    before = norms[0][0].moving_variance.numpy().copy()
    small.terms(joint, small.X)
    assert np.any(norms[0][0].moving_variance.numpy() != before)


def test_batch_norm_has_a_gradient_for_scale_and_offset():
    model = small.with_batch_norm()
    norm = conditional_networks.batch_norms(model.style_encoder)[0]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(small.terms(model, small.MIXED).loss)
    assert all(np.any(g) for g in tape.gradient(loss, [norm.gamma.value, norm.beta.value]))


def test_own_networks_are_saved_and_loaded(tmp_path):
    features, y = keras.Input([3]), keras.Input([3])
    head = keras.Model([features, y], keras.layers.Dense(4)(keras.layers.add([features, y])))
    image_network = keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])
    model = small.make(
        classifier=keras.Sequential([keras.Input([4]), keras.layers.Dense(3)]),
        style_encoder=ConditionalNetwork(head, image_network),
        decoder=keras.Sequential([keras.Input([5]), keras.layers.Dense(4)]),
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.transfer(small.X), model.transfer(small.X))
