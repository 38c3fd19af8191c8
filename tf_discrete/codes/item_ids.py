"""Semantic IDs: the codes of embeddings, with one more digit that tells items of equal codes apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete.codes.duplicates import Collisions, collisions
from tf_discrete.codes.encoding import encode_batches
from tf_discrete.codes.packing import check_codes
from tf_discrete.types import HasCodes


class SemanticIds(NamedTuple):
    """The IDs of M items, in the order of their embeddings.

    Attributes:
        codes: int32 [M, N] in [0, num_categories), the codes of a quantiser.
        digits: int32 [M], the number of an item among those of the same codes, from 0 in their order.
        num_categories: K.
    """

    codes: np.ndarray
    digits: np.ndarray
    num_categories: int

    @property
    def ids(self) -> np.ndarray:
        """Returns codes and digits, int32 [M, N + 1]; no row twice."""
        return np.concatenate([self.codes, self.digits[:, np.newaxis]], axis=1)

    @property
    def num_digits(self) -> int:
        """Returns the number of values of the last digit, the size of the largest group of equal codes."""
        return int(self.digits.max()) + 1

    def collisions(self) -> Collisions:
        """Returns how many items share their codes."""
        return collisions(self.codes, self.num_categories)

    def rows(self, ids: ArrayLike) -> np.ndarray:
        """Returns the items of IDs.

        Args:
            ids: integers [Q, N + 1].

        Returns:
            rows: int64 [Q] in [0, M); -1 where no item has the ID.

        Raises:
            ValueError: No integers, or another shape.
        """
        wanted, own = np.asarray(ids), self.ids
        if wanted.dtype.kind not in "iu" or wanted.ndim != 2 or wanted.shape[1] != own.shape[1]:
            raise ValueError(
                f"ids must be integers [Q, {own.shape[1]}], the codes and the last digit. "
                f"Received: ids.dtype={wanted.dtype}, ids.shape={wanted.shape}"
            )
        inside: np.ndarray = np.all((wanted >= 0) & (wanted <= checks.INT32_MAX), axis=1)
        keys, asked = _keys(own), _keys(np.where(inside[:, np.newaxis], wanted, 0))
        order = np.argsort(keys)
        at = np.minimum(np.searchsorted(keys, asked, sorter=order), len(keys) - 1)
        found: np.ndarray = np.where(inside & (keys[order[at]] == asked), order[at], -1)
        return found


def semantic_ids(quantizer: HasCodes, embeddings: ArrayLike, batch_size: int = 8192) -> SemanticIds:
    """Encodes embeddings and numbers those that share their codes.

    Args:
        quantizer: With `encode`, `num_variables` and `num_categories`, such as a `ResidualQuantizer` that was
            started at the embeddings by `adapt`, or a model.
        embeddings: float [M, D], finite.
        batch_size: Int, embeddings that are encoded at once. Default: 8192.

    Raises:
        ValueError: Embeddings that are no matrix of numbers, not finite, or none.

    Example:
        >>> from tf_discrete.layers.quantizers import ResidualQuantizer, VectorQuantizer
        >>> x = np.array([[0.0], [1.0], [10.0], [11.0], [11.0]], np.float32)
        >>> quantizer = ResidualQuantizer(VectorQuantizer(2), 2)
        >>> quantizer.adapt(x)
        >>> found = semantic_ids(quantizer, x)
        >>> found.digits.tolist(), found.collisions().num_colliding
        ([0, 0, 0, 0, 1], 2)
        >>> found.rows(found.ids[::-1]).tolist()
        [4, 3, 2, 1, 0]

    Reference:
        Rajput et al. Recommender systems with generative retrieval. 2023. arXiv:2305.05065.
    """
    vectors = check_embeddings(embeddings)
    size = checks.whole("batch_size", batch_size)
    batches = [vectors[start : start + size] for start in range(0, len(vectors), size)]
    codes = encode_batches(quantizer, batches)
    return SemanticIds(codes, number_equal(codes), quantizer.num_categories)


def check_embeddings(embeddings: ArrayLike) -> np.ndarray:
    """Returns embeddings as float32 [M, D], or float64.

    Raises:
        ValueError: No matrix of numbers, not finite, or none.
    """
    try:
        vectors = np.asarray(embeddings)
    except (TypeError, ValueError):
        checks.refuse("embeddings", "numbers [M, D], a row for each item", embeddings)
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or not vectors.size:
        raise ValueError(
            "embeddings must be numbers [M, D], a row for each item. "
            f"Received: embeddings.dtype={vectors.dtype}, embeddings.shape={vectors.shape}"
        )
    if vectors.dtype not in (np.float32, np.float64):
        vectors = vectors.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise ValueError(
            "embeddings must be finite. Leave these rows out, or fill them. Received: "
            f"{len(wrong)} rows with NaN or infinity, the first is row {wrong[0]}"
        )
    return vectors


def number_equal(codes: ArrayLike) -> np.ndarray:
    """Numbers the items of equal codes.

    Args:
        codes: integers [M, N].

    Returns:
        digits: int32 [M], from 0 in the order of the items.

    Example:
        >>> number_equal([[1, 2], [0, 0], [1, 2]]).tolist()
        [0, 0, 1]
    """
    array = check_codes(codes, checks.INT32_MAX)
    _, groups, counts = np.unique(array, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(groups.reshape(-1), kind="stable")
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    digits = np.empty(len(array), np.int32)
    digits[order] = np.arange(len(array)) - starts
    return digits


def _keys(ids: np.ndarray) -> np.ndarray:
    """Returns rows as byte strings of one length, whose order is that of the rows."""
    rows = np.ascontiguousarray(ids, dtype=">i4")
    return rows.view(f"S{4 * rows.shape[1]}").reshape(-1)
