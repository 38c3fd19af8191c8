"""Entropy, perplexity and mutual information of discrete variables, in nats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def entropy(probs: ArrayLike) -> np.ndarray:
    """Computes `-sum_k p_k log p_k` over the last axis, with `0 log 0 = 0`.

    Args:
      probs: `[..., num_categories]`.

    Returns:
      float64 `[...]`, nats.

    Example:
      >>> entropy([[1.0, 0.0], [0.5, 0.5]]).round(4).tolist()
      [0.0, 0.6931]
    """
    p = np.asarray(probs, np.float64)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1) + 0.0


def perplexity(counts: ArrayLike) -> np.ndarray:
    """Computes `exp(H(counts / total))`: how many categories are in effective use.

    Args:
      counts: `[..., num_categories]`, numbers >= 0.

    Returns:
      float64 `[...]` between 1 and `num_categories`; NaN where all counts are 0.

    Raises:
      ValueError: for negative or non-finite counts.

    Example:
      >>> perplexity([[5, 5, 0], [7, 0, 0]]).round(6).tolist()
      [2.0, 1.0]
    """
    array = np.asarray(counts, np.float64)
    _check_nonnegative(array)
    total = array.sum(axis=-1, keepdims=True)
    share = np.divide(array, total, out=np.full_like(array, np.nan), where=total > 0)
    return np.exp(entropy(share))


def mutual_information(probs: ArrayLike) -> np.ndarray:
    """Computes `I(x; z_n) = H(mean_x q(z_n | x)) - mean_x H(q(z_n | x))` for each variable.

    x is uniform on the B examples, so the value is at most `log(min(B, num_categories))`.

    Args:
      probs: posterior probabilities `[B, num_variables, num_categories]`.

    Returns:
      float64 `[num_variables]`, nats; NaN if B is 0.

    Raises:
      ValueError: if probs is no array of distributions of rank 3.

    Example:
      >>> mutual_information([[[1.0, 0.0], [0.9, 0.1]], [[0.0, 1.0], [0.9, 0.1]]]).round(4).tolist()
      [0.6931, 0.0]
    """
    array = np.asarray(probs, np.float64)
    if array.ndim != 3:
        raise ValueError(
            "probs must be [B, num_variables, num_categories]. Stack [1 - p, p] on a last axis "
            f"for binary latents. Received: probs.shape={array.shape}"
        )
    if not len(array):
        return np.full(array.shape[1:2], np.nan)
    array = check_probs(array, array.shape[:2], array.shape[2])
    return np.maximum(entropy(array.mean(axis=0)) - entropy(array).mean(axis=0), 0.0)


def check_counts(counts: np.ndarray) -> None:
    """Refuses counts that are not a matrix `[num_variables, num_categories]` of numbers >= 0."""
    if counts.ndim != 2 or counts.shape[0] < 1 or counts.shape[1] < 2:
        raise ValueError(
            "counts must be [num_variables, num_categories] with at least two categories. Give "
            f"both counts for binary latents. Received: counts.shape={counts.shape}"
        )
    _check_nonnegative(counts)


def _check_nonnegative(counts: np.ndarray) -> None:
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(
            "counts must be finite and >= 0. Count how often each category was chosen. "
            f"Received: minimum={counts.min()}, finite={bool(np.isfinite(counts).all())}"
        )


def check_probs(probs: np.ndarray, batch_shape: tuple[int, ...], num_categories: int) -> np.ndarray:
    """Returns distributions float64 [*batch_shape, num_categories], given those or probabilities of a 1.

    Raises:
      ValueError: another shape, or no distributions.
    """
    array = probs.astype(np.float64)
    if num_categories == 2 and array.shape == batch_shape:
        array = np.stack([1.0 - array, array], axis=-1)
    if array.shape != (*batch_shape, num_categories):
        raise ValueError(
            f"probs must be [B, num_variables, num_categories] = {(*batch_shape, num_categories)}."
            f" Give one distribution per code. Received: probs.shape={probs.shape}"
        )
    total = array.sum(axis=-1, keepdims=True)
    if not (array >= 0).all() or not (abs(total - 1.0) < 0.02).all():
        raise ValueError(
            "probs must be >= 0 and sum to 1 over the categories. Apply a softmax (sigmoid for "
            f"binary latents) to logits. Received: minimum={array.min()}, "
            f"sums between {total.min()} and {total.max()}"
        )
    return array / total  # low-precision probabilities miss 1 by up to a percent
