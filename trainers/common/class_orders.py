"""The order of classes in their tree that `--class_order` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tf_discrete import callbacks, datasets, distributions

from ..flags import semi_supervised

GIVEN, CLUSTERED, LEARNED = semi_supervised.CLASS_ORDERS
LEARNED_EPOCHS = 3
"""Epochs before which a learned order is learned."""


def check(config: semi_supervised.Config) -> None:
    """Refuses an order that cannot be had.

    Raises:
        ValueError: Classes that are no tree, or several workers, which would have to find the same order.
    """
    if config.class_order == GIVEN:
        return
    if config.latents != distributions.TreeCategorical.latents:
        raise ValueError(
            "Only classes that are a tree have an order. Set --latents=tree, or leave --class_order out. "
            f"Received: class_order={config.class_order!r}, latents={config.latents!r}"
        )
    if config.class_order == LEARNED and config.prior == "learned" and config.weight_average:
        raise ValueError(
            "The average of a learned prior cannot follow an order that is learned. Leave --weight_average "
            f"out, or set --class_order=clustered. Received: weight_average={config.weight_average}"
        )
    if config.distribute == "multi_worker":
        raise ValueError(
            "One worker finds the order of classes. Leave --class_order or --distribute out. "
            f"Received: class_order={config.class_order!r}, distribute={config.distribute!r}"
        )


def initial(config: semi_supervised.Config, num_classes: int) -> str | Sequence[int]:
    """Returns the argument `class_order=` of the model, whose order is found when training begins."""
    return GIVEN if config.class_order == GIVEN else range(num_classes)


def make_callbacks(config: semi_supervised.Config, labelled: datasets.Split) -> list[Any]:
    """Returns the callbacks that find the order.

    Args:
        config: Of the run.
        labelled: The training images with labels.
    """
    if config.class_order == CLUSTERED:
        return [ClusterClasses(labelled)]
    if config.class_order == LEARNED:
        batches = labelled.batches(min(500, len(labelled)))
        return [callbacks.ReorderClasses(batches, until=LEARNED_EPOCHS)]
    return []


class ClusterClasses(keras.callbacks.Callback):
    """Puts classes whose mean images are close below one node, before the first step of a run.

    Args:
        labelled: The training images with labels.
    """

    def __init__(self, labelled: datasets.Split):
        super().__init__()
        self.labelled = labelled

    def on_train_begin(self, logs: object = None) -> None:
        if (
            int(np.asarray(self.model.optimizer.iterations)) == 0
        ):  # A run that continues has its order.
            means = mean_images(self.labelled, self.model.num_classes)
            branching = self.model.class_order.branching
            self.model.reorder_classes(distributions.cluster_order(means, branching))


def mean_images(labelled: datasets.Split, num_classes: int) -> np.ndarray:
    """Returns the mean image of each class, float64 [K, pixels]; each class has an image."""
    sums, counts = (
        np.zeros([num_classes, int(np.prod(labelled.image_shape))]),
        np.zeros(num_classes),
    )
    for batch in labelled.batches(min(500, len(labelled))):
        images, label = batch["image"].numpy(), batch["label"].numpy()
        np.add.at(sums, label, images.reshape(len(images), -1))
        counts += np.bincount(label, minlength=num_classes)
    return sums / counts[:, np.newaxis]
