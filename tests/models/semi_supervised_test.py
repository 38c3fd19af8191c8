"""The semi-supervised VAE: bounds by hand, gradients by enumeration, uses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import semi_supervised_models as small
from tf_discrete import seeds
from tf_discrete.models import (
    Augmentation,
    Regularization,
    SemiSupervisedVAE,
)

THREE = tf.eye(4)[:3]


@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_marginalised_objective_equals_the_one_by_hand(prior):
    model = small.make(estimator="enumeration", prior=prior, alpha=7.0, labelled_weight=0.3)
    truth = small.bounds(model, small.X)
    label = np.maximum(small.LABELS, 0)
    labelled = np.take_along_axis(truth["labelled"], label[:, None], 1)[:, 0]
    log_class = np.take_along_axis(truth["log_q"], label[:, None], 1)[:, 0]
    bound = np.where(small.KNOWN, labelled, truth["unlabelled"])
    loss = np.where(small.KNOWN, -0.3 * labelled - 7.0 * log_class, -truth["unlabelled"])
    found = small.terms(model, small.MIXED)
    np.testing.assert_allclose(found.loss, loss, rtol=1e-5)
    np.testing.assert_allclose(found.terms["elbo_nats"], bound, rtol=1e-5)
    cross_entropy = found.terms["classification_nats"]
    np.testing.assert_allclose(
        cross_entropy.values, np.where(small.KNOWN, -log_class, 0), atol=1e-6
    )
    np.testing.assert_array_equal(cross_entropy.weights, small.KNOWN)
    right = truth["log_q"].argmax(-1) == small.LABELS.numpy()
    np.testing.assert_array_equal(found.terms["accuracy"].values * small.KNOWN, right * small.KNOWN)
    entropy = -(np.exp(truth["log_q"]) * truth["log_q"]).sum(-1)
    np.testing.assert_allclose(found.terms["class_entropy_nats"], entropy, rtol=1e-5)
    # In evaluation every row is scored as an unlabelled one too.
    scored = small.terms(model, small.MIXED, training=False)
    np.testing.assert_allclose(scored.loss, loss, rtol=1e-5)
    unlabelled = scored.terms["elbo_unlabelled_nats"]
    np.testing.assert_allclose(unlabelled, truth["unlabelled"], rtol=1e-5)


@pytest.mark.parametrize(
    "inference", ["gumbel_softmax", "reinmax", "score_function", "sum_and_sample", "rebar"]
)
def test_labelled_rows_have_the_bound_of_their_label_under_every_inference(inference):
    model = small.make(estimator=inference, alpha=0.0)
    label = np.array([0, 2, 1, 1, 0, 2])
    expected = np.take_along_axis(small.bounds(model, small.X)["labelled"], label[:, None], 1)[:, 0]
    with tf.GradientTape() as tape:
        found = small.terms(model, (small.X, label))
    np.testing.assert_allclose(found.terms["elbo_nats"], expected, rtol=1e-5)
    # Nothing but the classification term, here of weight 0, tells the classifier of them.
    gradients = tape.gradient(found.loss, [v.value for v in model.classifier.trainable_variables])
    assert all(g is None or not np.any(g) for g in gradients)
    assert not np.any(found.auxiliary)


@pytest.mark.parametrize("inference", ["enumeration", "gumbel_softmax", "score_function"])
def test_labelled_rows_in_front_are_the_same_objective(inference):
    model = small.make(estimator=inference)
    labelled, rest = small.X[:2], small.X[2:]
    front = {"labelled_image": labelled, "labelled_label": [2, 0], "image": rest}
    one = small.terms(model, front)
    other = small.terms(model, (small.X, [2, 0, -1, -1, -1, -1]))
    np.testing.assert_allclose(one.loss[:2], other.loss[:2], rtol=1e-5)
    if inference == "enumeration":  # Those that draw have noise of another shape.
        np.testing.assert_allclose(one.loss, other.loss, rtol=1e-5)
    assert np.isfinite(one.loss).all()


@pytest.mark.parametrize(
    "inference,temperature,bias",
    [("straight_through_gumbel_softmax", 1.0, 0.0), ("gumbel_softmax", 0.02, 0.02)],
)
def test_inferred_bounds_are_the_marginalised_one_on_average(inference, temperature, bias):
    """Of hard classes exactly, of relaxed ones in the limit, by 5 standard errors of at most 0.02 nats."""
    draws = 4000
    options = {"estimator": inference, "temperature": temperature, "num_samples": draws}
    model = small.make(spread=0.3, **options)
    truth = small.bounds(model, small.X)
    q, labelled = np.exp(truth["log_q"]), truth["labelled"]
    variance = (q * labelled**2).sum(-1) - (q * labelled).sum(-1) ** 2
    error = np.sqrt(variance / draws)
    assert error.max() < 0.02
    found = -small.terms(model, small.X).loss.numpy()
    np.testing.assert_array_less(abs(found - truth["unlabelled"]), 5 * error + bias)


def test_score_function_has_the_gradient_of_enumeration_in_expectation(monkeypatch):
    exact = small.make(estimator="enumeration")
    model = small.make(estimator="score_function")
    model.set_weights(exact.get_weights()[: len(model.get_weights())])
    for one, other in zip(model.trainable_variables, exact.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)
    x = small.X[:1]

    def gradient(model):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(small.terms(model, x).loss)
        values = [v.value for v in model.trainable_variables]
        return [np.asarray(g) for g in tape.gradient(loss, values)]

    probs = model.classify(x)[0].numpy()
    total = [np.zeros(v.shape) for v in model.trainable_variables]
    for first in range(3):
        for second in range(3):
            draw = tf.one_hot([[[first]], [[second]]], 3)
            monkeypatch.setattr(model.estimator, "draw_noise", lambda *args, d=draw: d)
            weight = probs[first] * probs[second]
            total = [t + weight * g for t, g in zip(total, gradient(model), strict=True)]
    for found, expected in zip(total, gradient(exact), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-5)
    assert max(np.abs(g).max() for g in total) > 0.1


def test_variance_normalisation_keeps_the_direction_of_the_classifiers_gradient(monkeypatch):
    regularization = Regularization(
        augmentation=Augmentation(noise_stddev=0.1), consistency=2.0, balance=1.0
    )
    model = small.make(estimator="score_function", regularization=regularization)

    def gradient():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(small.terms(model, small.MIXED).loss)
        return tape.gradient(loss, [v.value for v in model.classifier.trainable_variables])

    plain = gradient()
    scale = property(lambda self: 3.0)
    monkeypatch.setattr(type(model.estimator), "gradient_scale", scale)
    for one, other in zip(gradient(), plain, strict=True):
        np.testing.assert_allclose(3 * one, other, rtol=1e-4, atol=1e-4)


def test_log_weights_are_unbiased_for_the_bound():
    model = small.make(spread=0.25, estimator="enumeration")
    draws = 4000
    log_w = model.log_weights(small.X, draws, small.SEED).numpy()
    many = tf.repeat(small.X, draws, axis=0)
    bound = small.terms(model, many).terms["elbo_nats"].numpy().reshape(6, draws)
    error = np.sqrt((log_w.var(0) + bound.var(1)) / draws)
    assert (np.abs(log_w.mean(0) - bound.mean(1)) < 4.5 * error).all()
    assert error.max() < 0.15
    hard = model.hard_terms(many, small.SEED)["hard_elbo_nats"].numpy().reshape(6, draws)
    error = np.sqrt((hard.var(1) + bound.var(1)) / draws)
    assert (np.abs(hard.mean(1) - bound.mean(1)) < 4.5 * error).all()
    tight = model.log_likelihood(small.X, 2000, seed=1, chunk=2000).numpy()
    assert (tight > bound.mean(1)).all()


def test_uses_of_a_trained_model():
    model = small.make()
    probs = model.classify(small.X)
    np.testing.assert_allclose(tf.reduce_sum(probs, -1), np.ones(6), rtol=1e-6)
    label, style = model.encode(small.X)
    np.testing.assert_array_equal(label, tf.argmax(probs, -1))
    assert (label.dtype, style.shape) == (tf.int32, (6, 2))
    transferred = model.transfer(small.X)
    for k in range(3):
        np.testing.assert_allclose(
            transferred[:, k], model.generate(tf.fill([6], k), style), rtol=1e-5
        )
    np.testing.assert_array_equal(model.reconstruct(small.X), model.generate(label, style))
    known = tf.constant([0, 1, 2, 0, 1, 2])
    assert np.any(model.encode(small.X, known)[1] != style)
    one, again, other = model.sample(4, 3), model.sample(4, 3), model.sample(4, 4)
    np.testing.assert_array_equal(one, again)
    assert one.shape == (4, 4) and np.any(one != other)
    np.testing.assert_array_equal(model(small.X), probs)


def test_with_consistency_the_bound_is_of_the_image_and_the_label_of_the_view():
    x = tf.cast(tf.random.stateless_uniform([6, 4, 4, 1], [0, 1]) > 0.5, tf.float32)
    moved = Augmentation(shift=1)
    options = [
        Regularization(),
        Regularization(augmentation=moved),
        Regularization(augmentation=moved, consistency=1.0),
    ]
    plain, view, both = (
        small.terms(
            small.make(data_shape=(4, 4, 1), regularization=given), (x, [0, 1, 2, -1, -1, -1])
        ).terms
        for given in options
    )
    for name in ("class_entropy_nats", "elbo_unlabelled_nats"):
        np.testing.assert_allclose(_values(both[name]), _values(plain[name]), rtol=1e-5)
        assert np.abs(_values(view[name]) - _values(plain[name])).max() > 1e-3
    np.testing.assert_allclose(
        _values(both["classification_nats"]), _values(view["classification_nats"]), rtol=1e-5
    )
    assert np.any(_values(both["classification_nats"]) != _values(plain["classification_nats"]))


def _values(term):
    return (term.values if hasattr(term, "values") else term).numpy()


def test_classifier_learns_from_other_views_and_evaluation_does_not():
    model = small.make(
        data_shape=(4, 4, 1),
        regularization=Regularization(
            dropout=0.3,
            augmentation=Augmentation(shift=1, rotation=20.0, zoom=0.1, noise_stddev=0.5),
            consistency=2.0,
            balance=3.0,
        ),
    )
    x = tf.cast(tf.random.stateless_uniform([6, 4, 4, 1], [0, 1]) > 0.5, tf.float32)
    found = small.terms(model, x)
    plain = small.terms(small.make(data_shape=(4, 4, 1)), x)
    agreement = found.terms["consistency_nats"].numpy()
    assert (agreement >= 0).all() and agreement.max() > 0.01
    extra = found.loss + found.terms["elbo_nats"] - 2.0 * agreement
    # What is left is the balance, one number for the batch.
    assert np.ptp(extra) < 1e-4 and extra[0] > 0
    assert np.any(found.terms["class_entropy_nats"] != plain.terms["class_entropy_nats"])
    evaluated = small.terms(model, x, training=False)
    np.testing.assert_allclose(evaluated.loss, -evaluated.terms["elbo_nats"], rtol=1e-6)


def normalized():
    """A model with batch normalisation and dropout."""
    return small.make(
        spread=0.3,
        normalization="batch",
        regularization=Regularization(dropout=0.2),
        temperature=0.7,
        hidden_units=(16,),
    )


@pytest.mark.slow
def test_trains_under_xla():
    """On batches whose first rows have labels."""
    keras.utils.set_random_seed(0)
    model = normalized()
    model.compile(optimizer=keras.optimizers.Adam(0.02), jit_compile=True)
    batch = {"labelled_image": THREE, "labelled_label": [0, 1, 2], "image": small.X}
    data = tf.data.Dataset.from_tensors(batch).repeat(60)
    history = model.fit(data, verbose=0).history
    logs = {name: values[-1] for name, values in history.items()}
    assert np.isfinite(list(logs.values())).all()
    assert logs["temperature"] == pytest.approx(0.7)
    assert model.classify(THREE).numpy().argmax(-1).tolist() == [0, 1, 2]
    assert float(small.terms(model, small.X, training=False).loss[0]) < 15


@pytest.mark.slow
def test_a_mixed_batch_and_convolutions_of_views_under_xla():
    model = SemiSupervisedVAE(
        (8, 8, 1),
        num_classes=3,
        style_size=2,
        estimator="enumeration",
        classifier="conv",
        filters=(2, 3),
        hidden_units=(4,),
        normalization="batch",
        regularization=Regularization(
            augmentation=Augmentation(shift=1, rotation=10.0), consistency=1.0, balance=1.0
        ),
    )
    model.compile(optimizer="sgd", jit_compile=True)
    x = tf.cast(tf.random.stateless_uniform([6, 8, 8, 1], [0, 1]) > 0.5, tf.float32)
    labels = tf.constant([0, 1, 2, -1, -1, -1])
    before = [weight.numpy() for weight in model.trainable_variables]
    logs = model.train_on_batch(x, labels, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    assert "consistency_nats" in logs  # In evaluation there is no other view.
    assert "consistency_nats" not in model.test_on_batch(x, labels, return_dict=True)
    for old, weight in zip(before, model.trainable_variables, strict=True):
        assert np.any(old != weight.numpy()) or "bias" in weight.path, weight.path


def test_logs_average_over_the_rows_that_have_the_term():
    model = small.make(spread=0.3)
    model.compile("sgd", run_eagerly=True)
    logs = model.evaluate(small.X, small.LABELS, batch_size=4, verbose=0, return_dict=True)
    right = model.classify(small.X).numpy().argmax(-1) == small.LABELS.numpy()
    assert logs["accuracy"] == pytest.approx(right[small.KNOWN].mean())
    again = model.evaluate(small.X, small.LABELS, batch_size=4, verbose=0, return_dict=True)
    assert logs == again


def test_saved_and_loaded(tmp_path):
    model = normalized()
    model.compile("sgd", run_eagerly=True)
    model.train_on_batch(small.X)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.classify(small.X), model.classify(small.X))
    np.testing.assert_array_equal(
        loaded.log_likelihood(small.X, 7, 1), model.log_likelihood(small.X, 7, 1)
    )
    assert loaded.get_config() == model.get_config()


def test_convolutions_and_other_likelihoods_and_precisions():
    x = tf.random.stateless_uniform([3, 9, 8, 3], [0, 1])
    for policy in ("float32", "mixed_bfloat16", "float64"):
        model = small.make(
            data_shape=(9, 8, 3),
            classifier="conv",
            likelihood="gaussian",
            normalization="batch",
            dtype=policy,
        )
        found = small.terms(model, (x, [0, -1, 2]))
        assert np.isfinite(found.loss).all()
        assert model.transfer(x).shape == (3, 3, 9, 8, 3)


def test_seeds_repeat_and_differ():
    model = small.make()
    one, again = (small.terms(model, small.X).loss for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != small.terms(model, small.X, seed=seeds.base(12)).loss)
