"""How a model classifies: its metrics, between epochs and at the end, and its pictures."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import datasets, evaluation, plots
from tf_discrete._internal import writing
from tf_discrete.models.semi_supervised import LABELLED_TERMS

from . import charts, data, results, standard_errors

METRICS = ("accuracy", "calibration_error")
Classify = Callable[[Any], tf.Tensor]

ROWS = 8
"""Images whose style is shown in all classes."""


def compiled(model: Any) -> Classify:
    """`model.classify`, compiled."""
    return tf.function(model.classify, reduce_retracing=True, autograph=False)


def read(
    classify: Classify, split: datasets.Split, batch_size: int = 500
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [m, K] and labels [m] of the examples of a split that have a label.

    Args:
        classify: from images to probabilities, see `compiled`.
        split: of the data.
        batch_size: images at a time.
    """
    batches = split.batches(min(batch_size, len(split)))
    probs = np.concatenate([classify(batch["image"]).numpy() for batch in batches])
    labels = np.full(len(split), -1) if split.labels is None else np.asarray(split.labels)
    return probs[labels >= 0], labels[labels >= 0]


def metrics(probs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy and expected calibration error; nothing where there are no labels."""
    if not len(labels):
        return {}
    values = (
        evaluation.accuracy(probs, labels),
        evaluation.expected_calibration_error(probs, labels),
    )
    return dict(zip(METRICS, values, strict=True))


def with_errors(probs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """`metrics` with the standard error of the accuracy, which is a mean over examples."""
    found = metrics(probs, labels)
    if not found:
        return {}
    error = standard_errors.share_error(found["accuracy"], len(labels))
    return {**found, standard_errors.error_name("accuracy"): error}


def accuracy_by_class(probs: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> str:
    """Returns the accuracy on the images of each class with its standard error, the lowest first, in words.

    Example:
        >>> probs = np.float64([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
        >>> accuracy_by_class(probs, np.array([0, 0, 1, 1]), ("cat", "dog"))
        'accuracy of dog: 50.0 +- 35.4 %, cat: 100.0 +- 0.0 %'
    """
    right = probs.argmax(axis=-1) == labels
    shares = []
    for number, name in enumerate(names):
        own = right[labels == number]
        if len(own):
            shares.append((own.mean(), standard_errors.share_error(own.mean(), len(own)), name))
    parts = [
        f"{name}: {100 * share:.1f} +- {100 * error:.1f} %"
        for share, error, name in sorted(shares, key=lambda found: found[0])
    ]
    return "accuracy of " + ", ".join(parts)


def figures(
    model: Any,
    images: np.ndarray,
    names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The class-by-style grid of generated images, and the analogies of some images.

    Args:
        model: with `generate`, `transfer`, `num_classes` and `style_size`.
        images: float [B, H, W, C], of which the first few lend their style.
        names: of the classes. Default: None, their numbers.
        labels: names of the classes of the images. Default: None, they are not shown.
    """
    shape = [ROWS, model.style_size]
    style = tf.random.stateless_normal(shape, [0, 0])
    classes = np.tile(np.arange(model.num_classes), ROWS)
    grid = np.asarray(model.generate(classes, tf.repeat(style, model.num_classes, axis=0)))
    grid = grid.reshape(ROWS, model.num_classes, *grid.shape[1:])
    shown, labels = images[:ROWS], None if labels is None else labels[:ROWS]
    analogies = results.as_image(model.transfer(shown))
    return {
        "class_grid": plots.class_grid(results.as_image(grid), names=names),
        "analogies": plots.class_grid(analogies, shown, names=names, labels=labels),
    }


class ClassificationLog(keras.callbacks.Callback):
    """Adds accuracy and calibration on the validation data to the logs, and draws its pictures.

    Args:
        validation: labelled, at least in part.
        folder: of TensorBoard.
        pictures_every: epochs; 0 for none.
    """

    def __init__(self, validation: datasets.Split, folder: pathlib.Path, pictures_every: int):
        super().__init__()
        self.validation, self.pictures_every = validation, pictures_every
        self._folder = str(folder / "validation")
        self._classify: Classify | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._classify = compiled(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert self._classify is not None
        probs, labels = read(self._classify, self.validation)
        if logs is not None:
            if not len(labels):
                for name in LABELLED_TERMS:
                    logs.pop(f"val_{name}", None)
            logs.update({f"val_{name}": value for name, value in metrics(probs, labels).items()})
        if self.pictures_every and (epoch == 0 or (epoch + 1) % self.pictures_every == 0):
            names = self.validation.class_names
            images, true = data.some_images(self.validation, ROWS)
            known = data.class_names_of(self.validation, true)
            drawn = figures(self.model, images, names, known)
            if len(labels):
                matrix = evaluation.confusion_matrix(probs, labels)
                drawn["confusion"] = plots.confusion(matrix, names=names)
            step = int(np.asarray(self.model.optimizer.iterations))
            with (
                writing.naming(pathlib.Path(self._folder)),
                tf.summary.create_file_writer(self._folder).as_default(step=step),
            ):
                for name, figure in drawn.items():
                    charts.write_picture(name, figure)
