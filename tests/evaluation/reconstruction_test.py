"""The cross-entropy of deterministic reconstructions against Keras, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import evaluation
from tf_discrete.models import CategoricalVAE, SemanticHashingAutoencoder

X = np.random.RandomState(0).uniform(size=[7, 4, 4, 1]).astype(np.float32)


class Constant:
    """Decodes every image to one intensity."""

    def __init__(self, mean):
        self.mean = mean

    def encode(self, x):
        return tf.zeros([tf.shape(x)[0], 2], tf.int32)

    def decode(self, codes):
        return tf.fill([tf.shape(codes)[0], 4, 4, 1], self.mean)


@pytest.mark.parametrize(
    "model",
    [
        CategoricalVAE((4, 4, 1), 3, 2, hidden_units=(5,)),
        SemanticHashingAutoencoder((4, 4, 1), 3, hidden_units=(5,)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_it_is_the_cross_entropy_summed_over_pixels(model):
    found = evaluation.reconstruction_nats(model, [{"image": X[:4]}, X[4:]])
    pixels = keras.losses.binary_crossentropy(X[..., None], model.reconstruct(X)[..., None])
    each = np.asarray(pixels).reshape(7, -1).sum(axis=1)
    expected = (each.mean(), each.std(ddof=1) / np.sqrt(7), 7)
    assert found == pytest.approx(expected, rel=1e-4)


def test_it_is_the_hard_reconstruction_of_the_hashing_model():
    model = SemanticHashingAutoencoder((4, 4, 1), 3, hidden_units=(5,))
    hard = np.mean(model.hard_terms(X, tf.zeros([2], tf.int32))["hard_reconstruction_nats"])
    assert evaluation.reconstruction_nats(model, [X]).mean_nats == pytest.approx(hard, rel=1e-5)


def test_wrong_pixels_cost_a_finite_amount():
    found = evaluation.reconstruction_nats(Constant(0.0), [np.ones([1, 4, 4, 1], np.float32)])
    assert found.mean_nats == pytest.approx(-16 * np.log(1e-7))
    assert np.isnan(found.standard_error_nats)


def test_other_intensities_are_refused():
    with pytest.raises(ValueError, match=r"in \[0, 1\].*Received: images from"):
        evaluation.reconstruction_nats(Constant(0.5), [2 * X])
    with pytest.raises(ValueError, match="Received: decoded means from 1.5 to 1.5"):
        evaluation.reconstruction_nats(Constant(1.5), [X])


@pytest.mark.parametrize("batches", [[], [X[:0]]])
def test_no_images_are_refused(batches):
    with pytest.raises(ValueError, match="at least one image. Received: no batches"):
        evaluation.reconstruction_nats(Constant(0.5), batches)
