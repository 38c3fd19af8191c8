"""Small classifiers of images: independent judges of reconstructions and samples."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks, keras_files, reading, writing
from tf_discrete.evaluation.classification import accuracy, check_labels

_HIDDEN = {"conv": (128,), "mlp": (512, 256)}
"""Units of the dense hidden layers of each network."""


def train_classifier(
    images: ArrayLike,
    labels: ArrayLike,
    num_classes: int,
    *,
    num_steps: int = 800,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    network: str = "conv",
    decay: bool = True,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> keras.Model:
    """Trains a small classifier on real images.

    It is meant as a judge: if it reads reconstructions or samples as the right classes, they
    carry what makes the class. It reaches about 98 % on 8x8 digits within seconds.

    Args:
      images: `[B, H, W]` or `[B, H, W, C]`, floats in [0, 1] or integers in [0, 255].
      labels: integers `[B]` in `[0, num_classes)`.
      num_classes: Number of classes, at least 2.
      num_steps: training steps.
      batch_size: images per step (all of them if there are fewer).
      learning_rate: Learning rate of Adam.
      network: "conv" (two convolutions and a dense layer) or "mlp" (dense layers of 512 and 256
        units).
      decay: Bool, whether the learning rate falls to zero along a cosine.
      seed: Seed of the weights and of the order of the images.
      progress: called with 1 after each step. Default: None.

    Returns:
      A `keras.Model` from float images `[B, H, W, C]` in [0, 1] to probabilities
      `[B, num_classes]`; `predict_probs` feeds it any of the formats above.

    Raises:
      ValueError: for bad images or labels, or an unknown network.

    Example:
      >>> x = np.concatenate([np.zeros([16, 8, 8]), np.ones([16, 8, 8])])
      >>> y = np.repeat([0, 1], 16)
      >>> model = train_classifier(x, y, num_classes=2, num_steps=20)
      >>> accuracy(predict_probs(model, x), y)
      1.0
    """
    x, y = _as_images(images), check_labels(labels, num_classes)
    if not len(x) or len(x) != len(y):
        raise ValueError(
            "a classifier needs images and one label for each. Give at least one image and as "
            f"many labels. Received: images={len(x)}, labels={len(y)}"
        )
    checks.choice("network", network, tuple(_HIDDEN))
    num_steps, batch_size = (
        checks.whole("num_steps", num_steps),
        checks.whole("batch_size", batch_size),
    )
    learning_rate = checks.positive("learning_rate", learning_rate)
    decay, seed = checks.flag("decay", decay), checks.whole("seed", seed, 0, checks.INT64_MAX)
    model = _network(x.shape[1:], num_classes, network, seed)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    model.compile(
        optimizer=keras.optimizers.Adam(rate if decay else learning_rate),
        loss="sparse_categorical_crossentropy",
    )
    model.optimizer.build(model.trainable_variables)  # Or the step would be traced twice.
    batch_size = min(batch_size, len(x))
    rng = np.random.default_rng(seed)
    order = np.empty([0], np.int64)
    for _ in range(num_steps):
        if len(order) < batch_size:
            order = np.concatenate([order, rng.permutation(len(x))])
        batch, order = order[:batch_size], order[batch_size:]
        model.train_on_batch(x[batch], y[batch])
        if progress is not None:
            progress(1)
    return model


def cached_classifier(
    path: str | os.PathLike[str],
    images: ArrayLike,
    labels: ArrayLike,
    num_classes: int,
    **options: Any,
) -> keras.Model:
    """Trains a classifier once: later calls read it from its file.

    Args:
      path: Path of a `.keras` file; written atomically, `~` is expanded.
      images: See `train_classifier`.
      labels: See `train_classifier`.
      num_classes: See `train_classifier`.
      **options: of `train_classifier`.

    Raises:
      OSError: no permission, or no space.
      ValueError: for bad images or labels, a file that holds no classifier of such images, or
        whatever `train_classifier` refuses.

    Example:
      >>> import tempfile
      >>> x, y = np.stack([np.zeros([8, 8]), np.ones([8, 8])]), [0, 1]
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     made = cached_classifier(f"{folder}/judge.keras", x, y, 2, num_steps=5)
      ...     again = cached_classifier(f"{folder}/judge.keras", x, y, 2)
      >>> bool((predict_probs(made, x) == predict_probs(again, x)).all())
      True
    """
    path = writing.expand(path)
    if not path.exists():
        model = train_classifier(images, labels, num_classes, **options)
        with writing.replaced_file(path) as new:
            model.save(new)
        return model
    expected, remedy = "a classifier of such images", "Remove it, and it is trained again."
    model = keras_files.load_keras(path, expected=expected, remedy=remedy)
    shape = _as_images(images).shape[1:]
    with reading.reading(path, expected, remedy):
        sizes = tuple(model.input_shape[1:]), model.output_shape[-1]
    if sizes != (shape, num_classes):
        raise ValueError(
            "The file must hold a classifier of such images. Give another path, or remove it. "
            f"Received: path={str(path)!r} from {sizes[0]} to {sizes[1]} classes, images {shape} of "
            f"{num_classes} classes"
        )
    return model


def predict_probs(classifier: keras.Model, images: ArrayLike, batch_size: int = 256) -> np.ndarray:
    """Reads images with a classifier.

    Args:
      classifier: from `train_classifier`, or any model from float images `[B, H, W, C]` in
        [0, 1] to probabilities.
      images: `[B, H, W]` or `[B, H, W, C]`, floats in [0, 1] or integers in [0, 255].
      batch_size: images at a time.

    Returns:
      float64 `[B, num_classes]`.

    Raises:
      ValueError: for bad images, or a batch size below 1.
    """
    x, batch_size = _as_images(images), checks.whole("batch_size", batch_size)
    if not len(x):  # TensorFlow's convolution fails on an empty batch
        return np.zeros([0, classifier.output_shape[-1]])
    parts = [
        np.asarray(classifier(x[start : start + batch_size], training=False), np.float64)
        for start in range(0, len(x), batch_size)
    ]
    return np.concatenate(parts)


def reconstruction_accuracy(
    classifier: keras.Model, reconstructions: ArrayLike, labels: ArrayLike
) -> float:
    """Computes the share of reconstructions that a classifier of real images reads correctly.

    Args:
      classifier: from `train_classifier`, trained on real images.
      reconstructions: `[B, H, W]` or `[B, H, W, C]`, of the originals' range.
      labels: integers `[B]`, the classes of the originals.

    Returns:
      A number in [0, 1]; NaN if B is 0.

    Raises:
      ValueError: for bad images or labels.
    """
    return accuracy(predict_probs(classifier, reconstructions), labels)


def _network(shape: tuple[int, ...], num_classes: int, network: str, seed: int) -> keras.Model:
    # Keras takes seeds below 2**63.
    seeds = iter([(4 * seed + part) % 2**63 for part in range(4)])

    def initializer() -> keras.Initializer:
        return keras.initializers.HeNormal(seed=next(seeds))

    layers: list[keras.Layer] = [keras.Input(shape)]
    for filters in (32, 64) if network == "conv" else ():
        layers.append(
            keras.layers.Conv2D(
                filters, 3, padding="same", activation="relu", kernel_initializer=initializer()
            )
        )
        layers.append(keras.layers.MaxPooling2D(padding="same"))
    layers.append(keras.layers.Flatten())
    for units in _HIDDEN[network]:
        layers.append(
            keras.layers.Dense(units, activation="relu", kernel_initializer=initializer())
        )
    layers.append(
        keras.layers.Dense(
            num_classes, activation="softmax", kernel_initializer=initializer(), dtype="float32"
        )
    )
    return keras.Sequential(layers, name="classifier")


def _as_images(images: ArrayLike) -> np.ndarray:
    array = np.asarray(images)
    if array.dtype.kind in "OSU":
        raise ValueError(
            "images must be numbers. Decode image files first. "
            f"Received: images.dtype={array.dtype}"
        )
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4:
        raise ValueError(
            "images must be [B, H, W] or [B, H, W, C]. Reshape flat images. "
            f"Received: images.shape={array.shape}"
        )
    scale = 255.0 if np.issubdtype(array.dtype, np.integer) else 1.0
    array = array.astype(np.float32) / np.float32(scale)
    if not np.isfinite(array).all() or (array.size and (array.min() < 0 or array.max() > 1)):
        raise ValueError(
            "images must be finite, with floats in [0, 1] or integers in [0, 255]. Rescale or "
            f"clip them. Received: dtype={np.asarray(images).dtype}, "
            f"minimum={np.min(images)}, maximum={np.max(images)}"
        )
    return array
