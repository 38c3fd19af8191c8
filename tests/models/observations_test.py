"""What the semi-supervised VAE reads of batches: their forms, and labels that are refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.models import semi_supervised_models as small


def test_batches_of_one_kind_and_all_forms_of_a_batch():
    model = small.make(estimator="enumeration")
    images_alone = small.terms(model, small.X)
    for data in (
        (small.X, -tf.ones(6, tf.int32)),
        {"image": small.X},
        {"image": small.X, "label": small.LABELS, "labelled": tf.zeros(6, tf.bool)},
    ):
        np.testing.assert_array_equal(small.terms(model, data).loss, images_alone.loss)
    assert not np.any(images_alone.terms["elbo_labelled_nats"].weights)
    all_labelled = small.terms(model, (small.X, tf.constant([[0], [1], [2], [0], [1], [2]])))
    assert not np.any(all_labelled.terms["elbo_unlabelled_nats"].weights)
    mask = tf.constant(small.KNOWN)
    masked = small.terms(model, {"image": small.X, "label": abs(small.LABELS), "labelled": mask})
    np.testing.assert_array_equal(masked.loss, small.terms(model, small.MIXED).loss)


def test_labels_out_of_range_are_refused():
    model = small.make()
    for call, lowest in (
        (lambda: small.terms(model, (small.X, [0, 1, 2, 3, 0, -2])), -1),
        (
            lambda: small.terms(
                model, {"image": small.X, "labelled_image": small.X[:1], "labelled_label": [-1]}
            ),
            0,
        ),
        (lambda: model.generate([3], tf.zeros([1, model.style_size])), 0),
        (lambda: model.encode(small.X, [0, 1, 2, 3, 0, 1]), 0),
    ):
        with pytest.raises(
            ValueError, match=rf"Labels must be in {lowest}..2.*num_classes. Received: label="
        ):
            call()
    model.compile("sgd", jit_compile=False)
    labels = tf.constant([0, 1, 2, 3, 0, 1])
    with pytest.raises(ValueError, match="Labels must be in -1..2.*num_classes. Received: label="):
        model.fit(small.X, labels, verbose=0)
    data = tf.data.Dataset.from_tensors((small.X, labels))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Labels must be in -1..2"):
        model.fit(data, verbose=0)


REFUSED = {
    "one-hot": ((small.X, tf.eye(6, 3)), r"one integer for each image.*label.shape=\(6, 3\)"),
    "too few": ((small.X, tf.zeros(5, tf.int32)), r"label.shape=\(5,\) for 6 images"),
    "no labels of labelled": (
        {"image": small.X, "labelled_image": small.X[:2]},
        "labelled_image goes with labelled_label.*keys=.'image', 'labelled_image'",
    ),
    "too few of labelled": (
        {"image": small.X, "labelled_image": small.X[:2], "labelled_label": [1]},
        r"label.shape=\(1,\) for 2 images",
    ),
    "names": ((small.X, list("abcabc")), r"np\.unique\(names.*Received: label\.dtype=str"),
    "names of a data set": (
        (small.X, tf.constant(list("abcabc"))),
        r"np\.unique\(names.*Received: label\.dtype=object",
    ),
    "fractions": ((small.X, tf.constant([0.0, 0.5, 1, 2, 0, 1])), r"label\.dtype=float32"),
    "booleans": ((small.X, np.array([True, False] * 3)), r"label\.dtype=bool"),
    "a mask of numbers": (
        {"image": small.X, "label": small.LABELS, "labelled": tf.constant([0.5] * 6)},
        r"must be bool.*labelled\.dtype=float32",
    ),
    "too short a mask": (
        {"image": small.X, "label": small.LABELS, "labelled": tf.constant([True])},
        r"as many examples.*len\(image\)=6, len\(labelled\)=1",
    ),
    "mask alone": (
        {"image": small.X, "labelled": tf.constant(small.KNOWN)},
        "A mask `labelled` says.*Received: label=None",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_batches_that_do_not_fit_are_refused(case):
    data, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        small.terms(small.make(), data)


def test_labels_of_another_number_are_refused_where_only_the_run_shows_it():
    """One label for six images would be repeated for them."""
    model = small.make()
    read = tf.function(
        lambda image, label: model.unpack_batch((image, label)).label,
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, *small.X.shape[1:]]),
            tf.TensorSpec([None], tf.int32),
        ],
    )
    assert len(read(small.X, tf.zeros([6], tf.int32))) == 6
    with pytest.raises(tf.errors.InvalidArgumentError, match="image and label must have as many"):
        read(small.X, tf.zeros([1], tf.int32))


@pytest.mark.slow
def test_wrong_labels_show_under_xla_which_leaves_out_their_check():
    model = small.make()
    model.compile("sgd", jit_compile=True)
    weights = model.get_weights()
    for label, wrong in ((3, True), (2, False), (-2, True)):
        labels = tf.constant([0, 1, label, -1, 0, 1])
        logs = model.train_on_batch(small.X, labels, return_dict=True)
        assert np.isnan(logs["loss"]) == wrong, label
        model.reset_metrics()
        model.set_weights(weights)
