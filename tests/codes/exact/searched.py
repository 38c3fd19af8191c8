"""Codes to search, and what is found among them by comparing all: shared by the tests of the exact index."""

from __future__ import annotations

import numpy as np

from tf_discrete import codes

SIZES = [(64, 2), (20, 10), (70, 3), (9, 4), (130, 2)]
"""Variables and categories: binary, categories that are no power of 2, and more bits than a word has."""


def clustered(num_variables: int, num_categories: int, count: int, seed: int = 0) -> np.ndarray:
    """Codes around a few centres, int [count, N], a fifth of them equal to others."""
    generator = np.random.default_rng(seed)
    centres = generator.integers(0, num_categories, [max(1, count // 40), num_variables])
    made = centres[generator.integers(0, len(centres), count)]
    other = generator.integers(0, num_categories, made.shape)
    made = np.where(generator.random(made.shape) < 0.08, other, made)
    made[generator.integers(0, count, count // 5)] = made[generator.integers(0, count, count // 5)]
    return made


def nearest(
    queries: np.ndarray, items: np.ndarray, ids: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest by distance and then by id: distances and ids, [Q, k]."""
    distances = (queries[:, np.newaxis] != items).sum(axis=2)
    order = np.stack([np.lexsort([ids, row])[:k] for row in distances])
    return np.take_along_axis(distances, order, axis=1), ids[order]


def build(path, items: np.ndarray, num_categories: int, **options) -> codes.ExactIndex:
    """An index of codes [M, N]."""
    packed = codes.pack(items, num_categories)
    return codes.ExactIndex.build(path, packed, items.shape[1], num_categories, **options)
