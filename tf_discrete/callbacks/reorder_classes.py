"""`ReorderClasses`: learns where in their tree the classes of a `SemiSupervisedVAE` lie."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.callbacks import code_reader
from tf_discrete.distributions import learned_order
from tf_discrete.models.semi_supervised import SemiSupervisedVAE
from tf_discrete.types import Batch, DataLike, Logs, Tensor


class ReorderClasses(keras.callbacks.Callback):
    """Moves classes to where the classifier sees them in the tree, before each of the first epochs.

    Classes that look alike get the same digits from a classifier, even from one that has not been trained.
    So each class is given the path with the largest mean of log q(digit | x) over its labelled images, as
    `tf_discrete.distributions.learned_order` assigns them. Once the classifier fits the labels, that is the
    path that a class has: the order is decided before training and in the first epochs.

    The order changes before an epoch, so that what is measured and saved at its end belongs together. It is a
    weight of the model: training that is resumed from a checkpoint, with its `initial_epoch`, ends with the
    same order.

    Args:
        data: Images with labels as `fit` takes them: arrays (image, label), or a batched `tf.data.Dataset`.
            Images without a label are left out.
        every: How often, in epochs, the classes are reordered. Default: 1.
        until: Int, number of the epoch, from 0, from which on the order stays. Default: 1, classes are moved
            once, before training.
        batch_size: Batch size for arrays. Default: 256.

    Raises:
        ValueError: sizes < 1; when training begins, a model without an order of its classes, or data without
            labels.

    Example:
        >>> model = SemiSupervisedVAE(
        ...     (4,), num_classes=4, latents="tree:2,2", class_order=range(4), hidden_units=(8,)
        ... )
        >>> model.compile("adam")
        >>> x, y = np.repeat(np.eye(4, dtype="float32"), 5, axis=0), np.repeat(np.arange(4), 5)
        >>> history = model.fit(x, y, epochs=3, verbose=0, callbacks=[ReorderClasses((x, y), until=2)])
        >>> sorted(model.class_order.array().tolist())
        [0, 1, 2, 3]

    Reference:
        Jernite, Choromanska, Sontag. Simultaneous learning of trees and representations for extreme
        classification and density estimation. 2017.
    """

    def __init__(self, data: DataLike, every: int = 1, until: int = 1, batch_size: int = 256):
        super().__init__()
        code_reader.check_data(data)
        self.data = data
        self.every = checks.whole("every", every)
        self.until = checks.whole("until", until)
        self.batch_size = checks.whole("batch_size", batch_size)

    def set_model(self, model: keras.Model) -> None:
        if getattr(model, "class_order", None) is None:
            raise ValueError(
                "ReorderClasses trains a SemiSupervisedVAE whose classes are a tree with an order. Make it "
                "with latents such as 'tree:10,10' and class_order=range(num_classes). "
                f"Received: model={model.name!r}"
            )
        super().set_model(model)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch < self.until and epoch % self.every == 0:
            scores = digit_scores(self.model, self._batches())
            self.model.reorder_classes(learned_order(scores, self.model.class_order.branching))

    def _batches(self) -> Iterator[Batch]:
        if isinstance(self.data, tf.data.Dataset):
            return iter(self.data)
        return iter(tf.data.Dataset.from_tensor_slices(self.data).batch(self.batch_size))


def digit_scores(model: SemiSupervisedVAE, batches: Iterator[Batch]) -> list[np.ndarray]:
    """Returns the mean of log q(digit d = j | x) over the labelled images x of each class.

    A class without a labelled image gets the mean over the other classes.

    Args:
        model: With classes that are a tree.
        batches: As `fit` takes them.

    Returns:
        scores: float64 [K, b_d] for each depth d.

    Raises:
        ValueError: There is no label.
    """
    assert model.class_order is not None
    branching, size = model.class_order.branching, model.num_classes

    def read(batch: Batch) -> tuple[Tensor, Tensor]:
        image, label, _ = model.unpack_batch(batch)
        logits = model.class_style.class_logits(image)
        return label, model.class_style.distribution(logits).category_log_probs

    compiled = tf.function(read, reduce_retracing=True, autograph=False)
    sums = [np.zeros([size, children]) for children in branching]
    counts = np.zeros(size)
    for batch in batches:
        label, log_probs = (values.numpy() for values in compiled(batch))
        known = label >= 0
        counts += np.bincount(label[known], minlength=size)
        for depth, children in enumerate(branching):
            np.add.at(sums[depth], label[known], log_probs[known, depth, :children])
    seen = counts > 0
    if not seen.any():
        raise ValueError(
            "The order of classes is learned from labelled images. Give some. Received: data without labels"
        )
    for scores in sums:
        scores[seen] /= counts[seen, np.newaxis]
        scores[~seen] = scores[seen].mean(axis=0)
    return sums
