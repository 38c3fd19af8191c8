"""References of the results of a run: the mean image, and a linear classifier of the same labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete import datasets

from .standard_errors import error_name, share_error, with_error

FOR_THE_MEAN = 10_000
"""Images of streamed data from which the mean is estimated."""
MOST_LABELS = 5_000
"""Labels up to which a linear classifier is trained, which then takes seconds."""


def mean_image(split: datasets.Split) -> np.ndarray:
    """Returns the mean image of a split as it is binarised, float64 [H, W, C] in [0, 1]."""
    images = split.images
    if not isinstance(images, np.ndarray):  # They stay in their files.
        images = images.sample(FOR_THE_MEAN)
    highest = np.iinfo(images.dtype).max if images.dtype == np.uint8 else 1
    if split.binarization == "threshold":
        images, highest = images > 0.5 * highest, 1
    return images.mean(axis=0, dtype=np.float64) / highest


def image_errors(
    model: Any,
    split: datasets.Split,
    train: datasets.Split,
    progress: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Returns the squared error of a pixel, averaged: of reconstructions, and of the mean training image.

    Args:
        model: With `reconstruct`.
        split: Whose images are reconstructed, from their most probable codes.
        train: The training images.
        progress: Called with the number of images of each batch that is done. Default: None.
    """
    mean = mean_image(train)
    reconstruct = tf.function(model.reconstruct, reduce_retracing=True, autograph=False)
    errors: list[np.ndarray] = []
    of_mean: list[np.ndarray] = []
    for batch in split.batches(min(100, len(split))):
        images = batch["image"].numpy().astype(np.float64)
        shown = np.asarray(reconstruct(batch["image"]), np.float64)
        errors.append(np.square(images - shown).mean(axis=(1, 2, 3)))
        of_mean.append(np.square(images - mean).mean(axis=(1, 2, 3)))
        if progress is not None:
            progress(len(images))
    return {
        **with_error("reconstruction_mse", np.concatenate(errors)),
        **with_error("mean_image_mse", np.concatenate(of_mean)),
    }


def linear_accuracy(labelled: datasets.Split, test: datasets.Split) -> dict[str, float]:
    """Returns the test accuracy of a linear classifier of the pixels, trained on the same labels.

    It is logistic regression with scikit-learn's default penalty. Nothing is returned for test images
    without labels, for labels of fewer than two classes, or for more labels than `MOST_LABELS`.
    """
    from sklearn.linear_model import LogisticRegression

    x, y = _pixels_and_labels(labelled)
    if len(y) > MOST_LABELS or len(np.unique(y)) < 2:
        return {}
    test_x, test_y = _pixels_and_labels(test)
    if not len(test_y):
        return {}
    model = LogisticRegression(max_iter=1000).fit(x, y)
    found = float(np.mean(model.predict(test_x) == test_y))
    return {
        "test/linear_accuracy": found,
        error_name("test/linear_accuracy"): share_error(found, len(test_y)),
    }


def _pixels_and_labels(split: datasets.Split) -> tuple[np.ndarray, np.ndarray]:
    """Returns float32 [n, pixels] and int [n] of the examples of a split that have a label."""
    images = np.concatenate(
        [batch["image"].numpy() for batch in split.batches(min(1000, len(split)))]
    )
    labels = np.full(len(split), -1) if split.labels is None else np.asarray(split.labels)
    return images.reshape(len(images), -1)[labels >= 0], labels[labels >= 0]
