"""`ClassOrder`: which leaf of its tree each class of a model is."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete._internal.built_by_constructor import BuiltByConstructor
from tf_discrete.distributions import LatentSpec, TreeCategorical
from tf_discrete.types import Tensor

GIVEN = "given"
"""Class k is leaf k of the tree."""


class ClassOrder(BuiltByConstructor, keras.layers.Layer):
    """The leaf of each class and the class of each leaf, int64 [K], as weights that no step trains.

    Part of a model, which saves and restores the weights and makes the layer anew from its own config.

    Args:
        class_of: int [K], a permutation: leaf -> class.
        branching: b_1, ..., b_D, the children of a node at each depth.
    """

    def __init__(self, class_of: np.ndarray, branching: tuple[int, ...]):
        super().__init__(name="class_order", trainable=False)
        self.branching = branching
        size = (len(class_of),)
        self.class_of, self.leaf_of = (
            self.add_weight(
                shape=size,
                dtype="int64",
                initializer=lambda shape, dtype, values=values: tf.constant(values, dtype),
                trainable=False,
                autocast=False,
                name=name,
            )
            for name, values in (("class_of", class_of), ("leaf_of", np.argsort(class_of)))
        )
        self.build(size)

    def classes(self, leaves: Tensor) -> tf.Tensor:
        """Returns the classes of leaves, int64 of the same shape."""
        return tf.gather(self.class_of, leaves)

    def leaves(self, classes: Tensor) -> tf.Tensor:
        """Returns the leaves of classes, int64 of the same shape."""
        return tf.gather(self.leaf_of, classes)

    def by_class(self, of_leaves: Tensor) -> tf.Tensor:
        """Returns numbers of leaves, [..., K], in the order of the classes."""
        return tf.gather(of_leaves, self.leaf_of, axis=-1)

    def assign(self, class_of: np.ndarray) -> None:
        """Sets the class of each leaf."""
        self.class_of.assign(class_of)
        self.leaf_of.assign(np.argsort(class_of))

    def array(self) -> np.ndarray:
        """Returns the class of each leaf as it is now, int64 [K]."""
        return self.class_of.numpy().copy()


def make(class_order: Any, class_spec: LatentSpec) -> ClassOrder | None:
    """Returns the order of the classes of a model; None for "given".

    Raises:
        ValueError: No permutation, or an order of classes that are no tree.
    """
    if isinstance(class_order, str) and class_order == GIVEN:
        return None
    kind = class_spec.kind
    if not issubclass(kind, TreeCategorical):
        raise ValueError(
            "Only the leaves of a tree have an order. Set latents to a tree such as 'tree:100,100', or leave "
            f"class_order out. Received: class_order={checks.shown(class_order)}, "
            f"latents={class_spec.latents!r}"
        )
    return ClassOrder(checked(class_order, class_spec.num_categories), kind.branching)


def checked(class_order: ArrayLike, size: int) -> np.ndarray:
    """Returns an order as an array, int64 [K].

    Raises:
        ValueError: No permutation of the classes.
    """
    try:
        array = np.asarray(class_order)
    except (TypeError, ValueError):
        array = np.empty(0)
    whole = array.dtype.kind in "iu" and array.shape == (size,)
    if not whole or not np.array_equal(np.sort(array), np.arange(size)):
        rule = (
            f"{GIVEN!r}, or the class of each leaf, a permutation of the integers from 0 to {size - 1}, such "
            "as distributions.cluster_order returns"
        )
        checks.refuse("class_order", rule, class_order)
    return array.astype(np.int64)


def moved_logits(
    logits: np.ndarray, branching: tuple[int, ...], old: np.ndarray, new: np.ndarray
) -> np.ndarray:
    """Returns the logits of digits that keep the probabilities of classes which move to other leaves.

    Independent digits cannot give any probability to any leaf. These give each digit the probability of the
    classes that have it now, which is the product of digits with the smallest KL from the distribution that
    the classes had.

    Args:
        logits: float [D, r], of the digits.
        branching: b_1, ..., b_D.
        old: int [K], the class of each leaf before.
        new: int [K], the class of each leaf now.

    Returns:
        logits: float64 [D, r].

    Example:
        >>> old = np.log([[0.9, 0.1], [0.5, 0.5]])
        >>> np.exp(moved_logits(old, (2, 2), np.arange(4), np.array([0, 2, 1, 3]))).round(2).tolist()
        [[0.5, 0.5], [0.9, 0.1]]
    """
    digits = np.unravel_index(np.arange(len(old)), branching)
    found = np.array(logits, np.float64)
    log_probs = np.zeros(len(old))
    for row, own, children in zip(found, digits, branching, strict=True):
        used = row[:children]
        log_probs += (used - np.logaddexp.reduce(used))[own]
    probs = np.exp(log_probs)[np.argsort(old)][new]
    for row, own, children in zip(found, digits, branching, strict=True):
        new_probs = np.bincount(own, probs, minlength=children)
        row[:children] = np.log(np.maximum(new_probs, np.finfo(np.float32).tiny))
    return found
