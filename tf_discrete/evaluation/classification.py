"""Metrics of classifiers, from probabilities and labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks, integer_checks


def accuracy(probs: ArrayLike, labels: ArrayLike) -> float:
    """Computes the share of examples whose most probable class is the right one.

    Args:
      probs: `[B, num_classes]`.
      labels: integers `[B]`.

    Returns:
      A number in [0, 1]; NaN if B is 0.

    Raises:
      ValueError: for shapes that do not match or labels out of range.

    Example:
      >>> accuracy([[0.9, 0.1], [0.2, 0.8]], [0, 0])
      0.5
    """
    p, y = _check_pair(probs, labels)
    return float((p.argmax(axis=1) == y).mean()) if len(y) else float("nan")


def confusion_matrix(probs: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Counts how often each class (row) was read as each class (column).

    Args:
      probs: `[B, num_classes]`.
      labels: integers `[B]`.

    Returns:
      int64 `[num_classes, num_classes]`.

    Raises:
      ValueError: for shapes that do not match or labels out of range.

    Example:
      >>> confusion_matrix([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1]).tolist()
      [[1, 1], [0, 1]]
    """
    p, y = _check_pair(probs, labels)
    classes = p.shape[1]
    flat = np.bincount(y * classes + p.argmax(axis=1), minlength=classes * classes)
    return flat.reshape(classes, classes)


def expected_calibration_error(probs: ArrayLike, labels: ArrayLike, num_bins: int = 15) -> float:
    """Computes how far confidence and accuracy are apart, on average.

    The examples are sorted by confidence (the largest probability) into bins
    `((b - 1) / num_bins, b / num_bins]`; the error is the mean over examples of
    `|accuracy - mean confidence|` of their bin.

    Args:
      probs: `[B, num_classes]`.
      labels: integers `[B]`.
      num_bins: bins of equal width.

    Returns:
      A number in [0, 1]; NaN if B is 0.

    Raises:
      ValueError: for shapes that do not match, labels out of range or num_bins < 1.

    Example:
      >>> round(expected_calibration_error([[0.8, 0.2], [0.8, 0.2]], [0, 1]), 6)
      0.3

    Reference:
      Guo et al., "On Calibration of Modern Neural Networks", arXiv:1706.04599.
    """
    p, y = _check_pair(probs, labels)
    num_bins = checks.whole("num_bins", num_bins)
    if not len(y):
        return float("nan")
    confidence = p.max(axis=1)
    excess = confidence - (p.argmax(axis=1) == y)
    bins = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    return float(np.abs(np.bincount(bins, weights=excess)).sum() / len(y))


def check_labels(labels: ArrayLike, num_classes: int) -> np.ndarray:
    """Returns labels int64 [B] in [0, num_classes), after a check.

    Raises:
      ValueError: another shape, no integers, or labels out of range.
    """
    num_classes = checks.whole("num_classes", num_classes, lowest=2)
    array = np.asarray(labels)
    if array.size:
        integer_checks.check_label_dtype(array.dtype, "labels")
    if array.ndim != 1 or (array.size and (array.min() < 0 or array.max() >= num_classes)):
        raise ValueError(
            f"labels must be integers in [0, {num_classes}) of shape [B]. Number the classes from "
            f"0; take the argmax of one-hot labels. Received: labels.shape={array.shape}, dtype={array.dtype}"
            + (f", minimum={array.min()}, maximum={array.max()}" if array.size else "")
        )
    return array.astype(np.int64)


def _check_pair(probs: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probs)
    if p.dtype.kind in "OSU":
        raise ValueError(f"probs must be numbers [B, num_classes]. Received: probs.dtype={p.dtype}")
    p = p.astype(np.float64)
    if p.ndim != 2 or np.shape(labels)[:1] != p.shape[:1]:
        raise ValueError(
            "probs must be [B, num_classes] with one label per row. Give one distribution per "
            f"example. Received: probs.shape={p.shape}, labels.shape={np.shape(labels)}"
        )
    if not np.isfinite(p).all():
        raise ValueError(
            "probs must be finite. Look for a diverged classifier. "
            f"Received: {np.count_nonzero(~np.isfinite(p))} non-finite values"
        )
    return p, check_labels(labels, p.shape[1])
