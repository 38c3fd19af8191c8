"""Batches of a semi-supervised model: images, and labels where they are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_discrete._internal import input_checks, integer_checks
from tf_discrete._internal.assertions import is_known
from tf_discrete._internal.batch_image import image_of
from tf_discrete.types import Batch, Tensor

UNLABELLED = -1


class Observations(NamedTuple):
    """The images and labels of a batch.

    Attributes:
        image: float [B, *data_shape], or the features of the images.
        label: int32 [B], -1 where unlabelled.
        num_labelled: Number of labelled rows, which come first; the others have no labels. None if labelled
            and unlabelled rows are mixed.
    """

    image: Tensor
    label: Tensor
    num_labelled: int | Tensor | None = None


def observe(
    data: Batch, num_classes: int, features: Callable[[Tensor], Tensor] = lambda x: x
) -> Observations:
    """Reads a batch from `fit` in any of its forms, see `SemiSupervisedVAE`.

    Args:
        data: (image, label); a dict with `image`, `label` (-1 where unlabelled) and, optionally,
            `labelled`, a bool mask; images alone, all unlabelled; or a dict with `image` (unlabelled),
            `labelled_image` and `labelled_label` (all labelled).
        num_classes: K.
        features: what the model sees of images. Default: the images.

    Raises:
        ValueError: labels out of range, see `check_labels`, or a dict without `image`.
    """
    x, label, _ = keras.utils.unpack_x_y_sample_weight(data)
    if not isinstance(x, dict):
        return _mixed(features(x), num_classes, label)
    images = features(image_of(x))
    if "labelled_image" not in x:
        return _mixed(images, num_classes, x.get("label", label), x.get("labelled"))
    if "labelled_label" not in x:
        raise ValueError(
            "labelled_image goes with labelled_label. Give both, or images with `label`, -1 where there is "
            f"none. Received: keys={sorted(x, key=str)}"
        )
    front, rest = features(x["labelled_image"]), _mixed(images, num_classes)
    labels = (check_labels(_one_each(x["labelled_label"], front), num_classes), rest.label)
    count = front.shape[0] if front.shape[0] is not None else tf.shape(front)[0]
    return Observations(tf.concat([front, images], 0), tf.concat(labels, 0), count)


def check_labels(label: Tensor, num_classes: int, lowest: int = 0) -> tf.Tensor:
    """Returns labels int32 [B], in `lowest`..K - 1.

    Inside a function that XLA compiles they are taken as they come; the loss of wrong ones is NaN.

    Raises:
        ValueError: labels out of range; tf.errors.InvalidArgumentError inside a `tf.function`.
    """
    label = tf.reshape(_integers(label), [-1])
    if not is_known(label):
        return integer_checks.integers_in(label, lowest, num_classes - 1, "Labels")
    wrong = sorted({int(i) for i in label.numpy() if not lowest <= i < num_classes})
    if wrong:
        raise ValueError(
            f"Labels must be in {lowest}..{num_classes - 1}. Number the classes from 0, or raise "
            f"num_classes. Received: label={wrong[:5]}"
        )
    return tf.cast(label, tf.int32)


def _mixed(
    image: Tensor, num_classes: int, label: Tensor | None = None, labelled: Tensor | None = None
) -> Observations:
    """Rows of both kinds, mixed: without a label, or outside the mask, a row is unlabelled."""
    if label is None:
        if labelled is not None:
            raise ValueError(
                "A mask `labelled` says which of the labels count. Give `label` too. "
                "Received: label=None"
            )
        return Observations(image, tf.fill([tf.shape(image)[0]], UNLABELLED))
    label = _one_each(label, image)
    if labelled is not None:
        labelled = tf.convert_to_tensor(labelled)
        if not labelled.dtype.is_bool:
            raise ValueError(
                "The mask `labelled` must be bool, true where the label counts. "
                f"Received: labelled.dtype={labelled.dtype.name}"
            )
        mask = input_checks.same_batch(image, tf.reshape(labelled, [-1]), ("image", "labelled"))
        label = tf.where(mask, label, tf.cast(UNLABELLED, label.dtype))
    return Observations(image, check_labels(label, num_classes, UNLABELLED))


def _one_each(label: Tensor, image: Tensor) -> tf.Tensor:
    """Labels, integers [B], one for each image.

    Raises:
        ValueError: labels that are no integers, or of another shape or number.
    """
    label = _array(label)
    shape = tf.TensorShape(label.shape)
    many = math.prod(size or 1 for size in shape[1:]) if shape.rank else 1
    if many != 1 or not shape[:1].is_compatible_with(image.shape[:1]):
        raise ValueError(
            "Labels are one integer for each image, [B]. Convert one-hot ones: tf.argmax(label, axis=-1). "
            f"Received: label.shape={tuple(shape)} for {image.shape[0]} images"
        )
    label = _integers(label)
    return input_checks.same_batch(image, tf.reshape(label, [-1]), ("image", "label"))


def _array(label: Tensor) -> np.ndarray | tf.Tensor:
    """Returns labels before any conversion: TensorFlow would make fractions of mixed lists."""
    return label if tf.is_tensor(label) else np.asarray(label)


def _integers(label: Tensor) -> tf.Tensor:
    """Returns labels as a tensor of signed integers; names, fractions and booleans are refused."""
    label = _array(label)
    integer_checks.check_label_dtype(label.dtype)
    label = tf.convert_to_tensor(label)
    return tf.cast(label, tf.int64) if label.dtype.is_unsigned else label
