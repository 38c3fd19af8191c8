"""Masks: a key XORed with them gives every key that differs from it in exactly t variables."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np


def ring_size(length: int, width: int, ring: int) -> int:
    """Returns the number of keys at a distance: choices of the variables times those of their values.

    Example:
        >>> ring_size(length=4, width=1, ring=2), ring_size(length=4, width=2, ring=1)
        (6, 12)
    """
    return math.comb(length, ring) * (2**width - 1) ** ring


@functools.lru_cache(maxsize=256)
def ring_masks(length: int, width: int, ring: int) -> np.ndarray:
    """Returns the masks of a distance.

    A variable whose number of categories is no power of 2 has values that no code takes; their keys are
    empty, and each of them takes the time of a probe.

    Args:
        length: Variables of the key.
        width: Bits of a variable.
        ring: Variables that differ.

    Returns:
        masks: int64 [ring_size].

    Example:
        >>> ring_masks(length=3, width=1, ring=1)
        array([4, 2, 1])
    """
    places = np.array(list(itertools.combinations(range(length), ring)), np.int64)
    masks = np.zeros([len(places), 1], np.int64)
    for column in range(ring):
        shifts = (length - 1 - places[:, column]) * width
        changes = np.arange(1, 2**width) << shifts[:, np.newaxis]
        masks = (masks[:, :, np.newaxis] | changes[:, np.newaxis]).reshape(len(places), -1)
    return masks.ravel()
