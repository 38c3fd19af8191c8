"""Classes as paths through a tree: M2 with very many of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import distributions, estimators, export, seeds
from tf_discrete.distributions import gaussian
from tf_discrete.models import Augmentation, Regularization, SemiSupervisedVAE

K, TREE = 12, "tree:3,4"
X = np.random.RandomState(0).uniform(size=[8, 4, 4, 1]).astype("float32")
LABELS = np.array([0, 11, 5, 7, -1, -1, -1, -1], np.int32)
BATCH = {"image": X, "label": LABELS}


def made(**changes):
    arguments = {"num_classes": K, "style_size": 2, "hidden_units": (6,), "latents": TREE}
    return SemiSupervisedVAE((4, 4, 1), **{**arguments, **changes})


@pytest.mark.parametrize("estimator", ["enumeration", "gumbel_softmax"])
def test_a_step_trains_classifier_and_generator(estimator, tmp_path):
    regularization = Regularization(
        augmentation=Augmentation(noise_stddev=0.1), consistency=1.0, balance=0.1
    )
    model = made(estimator=estimator, regularization=regularization)
    model.compile("sgd", run_eagerly=True)
    before = [np.array(weight) for weight in model.get_weights()]
    logs = model.train_step(BATCH)
    assert all(np.isfinite(value) for value in logs.values())
    assert any(np.any(old != new) for old, new in zip(before, model.get_weights(), strict=True))
    assert model(X).shape == model.compute_output_shape(X.shape) == (8, K)
    np.testing.assert_allclose(tf.reduce_sum(model(X), axis=1), np.ones(8), rtol=1e-5)
    label, style = model.encode(X)
    np.testing.assert_array_equal(label, tf.argmax(model(X), axis=1))
    assert label.dtype == tf.int32 and model.generate(label, style).shape == X.shape
    assert model.sample(3).shape == [3, 4, 4, 1] and model.transfer(X[:2]).shape[1] == K
    assert np.isfinite(model.log_likelihood(X, 3)).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X), model(X))


def test_the_bound_is_that_of_the_marginalised_model():
    """U(x) and L(x, y) by their definitions, a sum over all classes and one class."""
    model = made(estimator="enumeration", dtype="float64")
    parts, posterior = model.class_style, model.posterior(X)
    probs = posterior.code_probs[:, 0].numpy()
    np.testing.assert_allclose(probs, model(X), rtol=1e-6)
    every = np.repeat(np.arange(K)[:, np.newaxis], 8, axis=1)
    y = tf.stack([parts.one_hot(tf.constant(row)) for row in every])
    noise = parts.style_noise(model.features(X), seeds.base(4))
    mean, log_scale = parts.style(parts.image_part(model.features(X)), y)
    z = gaussian.sample(mean, log_scale, noise)
    bound = parts.log_likelihood(model.features(X), y, z)
    bound -= gaussian.kl_to_standard(mean, log_scale)
    labelled = bound.numpy() - np.log(K)
    unlabelled = (probs.T * (labelled - np.log(probs.T))).sum(axis=0)
    terms = model.objective(model.unpack_batch(BATCH), seeds.base(4), training=False)
    known = LABELS >= 0
    expected = np.where(known, labelled[np.maximum(LABELS, 0), np.arange(8)], unlabelled)
    np.testing.assert_allclose(terms.terms["elbo_nats"], expected, rtol=1e-6)
    cross_entropy = -np.log(probs[np.arange(8), np.maximum(LABELS, 0)])
    found = terms.terms["classification_nats"].values
    np.testing.assert_allclose(np.asarray(found)[known], cross_entropy[known], rtol=1e-6)


def test_ten_thousand_classes():
    model = made(num_classes=10_000, latents="tree:100,100")
    assert model.classifier.output_shape == (None, 200)
    model.compile("sgd", run_eagerly=True)
    labels = np.array([9_999, 1234, -1, -1, 5, 77, -1, -1], np.int32)
    assert np.isfinite(model.train_step({"image": X, "label": labels})["loss"])
    assert model(X).shape == (8, 10_000)


@pytest.mark.slow
def test_export(tmp_path):
    model = made()
    manifest = export.save(model, tmp_path / "exported")
    assert manifest.num_classes == K and manifest.latents == TREE
    served = tf.saved_model.load(str(tmp_path / "exported")).signatures
    np.testing.assert_allclose(served["classify"](image=X)["probs"], model(X), rtol=1e-5)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="Set num_categories=12, or branching="):
        made(num_classes=13)
    with pytest.raises(ValueError, match="a path through a tree.*latents='bernoulli'"):
        made(num_classes=2, latents="bernoulli")
    with pytest.raises(ValueError, match="At most 65536 probabilities"):
        getattr(distributions.get("tree:512,512")(tf.zeros([2, 512])), "code_probs")  # noqa: B009
    with pytest.raises(ValueError, match="must have the same kind of latents"):
        made(estimator=estimators.get("reinmax"))
