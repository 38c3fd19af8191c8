"""How well items of the same kind are found by distance: precision, recall and average precision.

For one query with database items ranked by increasing distance, rel(i) in {0, 1} at rank i = 1..M, and
R = sum_i rel(i):

    precision@k = sum_{i <= k} rel(i) / k
    recall@k    = sum_{i <= k} rel(i) / R
    AP@k        = sum_{i <= k} rel(i) precision@i / min(k, R)        AP = AP@M
    mAP@k       = the mean of AP@k over the queries with R > 0

AP@k of a perfect ranking is 1. Some papers divide by the relevant items among the first k instead, which
a ranking with a single hit at rank 1 maximises: their numbers are higher and not comparable.

Integer distances tie all the time. With `ties="index"` tied items come in the order of the database, as
the search returns them. With `ties="expected"` every value is its expectation over all orders of the tied
items, exactly: it does not depend on how the database is sorted (if that is by label, the first is off).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete._internal.integer_checks import check_label_dtype
from tf_discrete._internal.mean_and_error import mean_and_error
from tf_discrete.codes.hamming import check_k, check_queries, hamming_distances
from tf_discrete.codes.packing import pack_to_compare

TIES = ("index", "expected")
_QUERIES = 64


class RetrievalScores(NamedTuple):
    """Means over queries.

    Attributes:
        k: Number of items for precision, recall and mAP@k.
        precision_at_k: over all queries.
        recall_at_k: over the queries with something to find.
        mean_average_precision: mAP over the whole ranking, over the same queries.
        mean_average_precision_at_k: mAP@k, over the same queries.
        num_queries: all of them.
        num_without_relevant: queries with nothing to find, which recall and mAP leave out.
        precision_at_k_standard_error: of the mean over queries; NaN for a single one.
        mean_average_precision_standard_error: as well.
    """

    k: int
    precision_at_k: float
    recall_at_k: float
    mean_average_precision: float
    mean_average_precision_at_k: float
    num_queries: int
    num_without_relevant: int
    precision_at_k_standard_error: float
    mean_average_precision_standard_error: float


class _Ranking(NamedTuple):
    gains: np.ndarray  # [Q, M], expected rel(i)
    hits: np.ndarray  # [Q, M], expected rel(i) * sum_{j <= i} rel(j)
    total: np.ndarray  # [Q], R


def precision_at_k(
    distances: ArrayLike, relevant: ArrayLike, k: int, ties: str = "index"
) -> np.ndarray:
    """Returns the share of relevant items among the first k, for each query.

    Args:
        distances: Numbers [Q, M], smaller is nearer.
        relevant: bool [Q, M].
        k: 1 to M.
        ties: "index" or "expected", see the module. Default: "index".

    Returns:
        precision: float64 [Q].

    Raises:
        ValueError: no query, k out of range, unequal shapes, distances that are not finite, or other ties.

    Example:
        >>> precision_at_k([[1, 2, 3]], [[True, False, True]], k=2)
        array([0.5])
    """
    k = checks.whole("k", k, lowest=0)
    return _rank(distances, relevant, ties, k).gains[:, :k].sum(1) / k


def recall_at_k(
    distances: ArrayLike, relevant: ArrayLike, k: int, ties: str = "index"
) -> np.ndarray:
    """Returns the share of the relevant items that is among the first k, for each query.

    Args and errors are those of `precision_at_k`.

    Returns:
        recall: float64 [Q]; NaN where nothing is relevant.

    Example:
        >>> recall_at_k([[1, 2, 3]], [[True, False, True]], k=1)
        array([0.5])
    """
    k = checks.whole("k", k, lowest=0)
    ranking = _rank(distances, relevant, ties, k)
    return _over(ranking.gains[:, :k].sum(1), ranking.total)


def average_precision(
    distances: ArrayLike, relevant: ArrayLike, k: int | None = None, ties: str = "index"
) -> np.ndarray:
    """AP@k of each query; the mean over queries is mAP@k.

    Args:
        distances: Numbers [Q, M], smaller is nearer.
        relevant: bool [Q, M].
        k: 1 to M, or None for the whole ranking. Default: None.
        ties: "index" or "expected", see the module. Default: "index".

    Returns:
        average_precision: float64 [Q]; NaN where nothing is relevant.

    Raises:
        ValueError: As `precision_at_k`.

    Example:
        >>> average_precision([[1, 2, 3]], [[True, False, True]]).round(3)
        array([0.833])

    Reference:
        McSherry, Najork. Computing information retrieval performance measures efficiently in the
        presence of tied scores. ECIR 2008.
    """
    ranking = _rank(distances, relevant, ties, k)
    return _average_precision(ranking, k)


def evaluate_retrieval(
    query_codes: ArrayLike,
    query_labels: ArrayLike,
    codes: ArrayLike,
    labels: ArrayLike,
    k: int,
    num_categories: int = 2,
    ties: str = "index",
) -> RetrievalScores:
    """Scores search by Hamming distance, where an item is relevant if it has the label of the query.

    The queries must not be among the searched codes, or each finds itself first.

    Args:
        query_codes: integers [Q, N] in [0, num_categories).
        query_labels: integers [Q]; a negative label is none and matches nothing.
        codes: integers [M, N], to be searched.
        labels: integers [M].
        k: 1 to M.
        num_categories: K. Default: 2.
        ties: "index" or "expected", see the module. Default: "index".

    Returns:
        RetrievalScores. Memory is that of 64 queries at a time; "expected" counts items at each distance
        instead of sorting them, and is many times faster.

    Raises:
        ValueError: no query, sizes that do not match, labels that are no integers, k out of range, or other
            ties.

    Example:
        >>> scores = evaluate_retrieval([[0, 0]], [7], [[0, 1], [1, 1], [0, 0]], [7, 7, 3], k=2)
        >>> scores.precision_at_k, round(scores.mean_average_precision, 4)
        (0.5, 0.5833)
    """
    queries, _ = pack_to_compare(query_codes, num_categories)
    searched, _ = pack_to_compare(codes, num_categories)
    asked, known = np.asarray(query_labels), np.asarray(labels)
    for name, found in (("query_labels", asked), ("labels", known)):
        if found.size:
            check_label_dtype(found.dtype, name)
    if asked.shape != (len(queries),) or known.shape != (len(searched),):
        raise ValueError(
            "There must be one label for each code; take the argmax of one-hot labels. Received: "
            f"query_labels.shape={asked.shape} for {len(queries)} codes, "
            f"labels.shape={known.shape} for {len(searched)} codes"
        )
    check_queries(queries)
    check_k(k, len(searched))
    _check_ties(ties)
    score = _score_by_counts if ties == "expected" else _score_by_ranking
    parts = []
    for start in range(0, len(queries), _QUERIES):
        part = slice(start, start + _QUERIES)
        relevant = (asked[part, np.newaxis] == known) & (known >= 0)
        parts.append(score(hamming_distances(queries[part], searched), relevant, k))
    precision, recall, full, first = np.concatenate(parts, axis=1)
    answerable = np.isfinite(full)

    def mean(values: np.ndarray) -> tuple[float, float]:
        return mean_and_error(values[answerable]) if answerable.any() else (np.nan, np.nan)

    precise, precision_error = mean_and_error(precision)
    average, average_error = mean(full)
    return RetrievalScores(
        k=k,
        precision_at_k=precise,
        recall_at_k=mean(recall)[0],
        mean_average_precision=average,
        mean_average_precision_at_k=mean(first)[0],
        num_queries=len(queries),
        num_without_relevant=int((~answerable).sum()),
        precision_at_k_standard_error=precision_error,
        mean_average_precision_standard_error=average_error,
    )


def _score_by_ranking(distances: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """precision@k, recall@k, AP and AP@k of each query, [4, Q]; tied items by index."""
    ranking = _rank(distances, relevant, "index", k)
    found = ranking.gains[:, :k].sum(1)
    average = [_average_precision(ranking, most) for most in (None, k)]
    return np.stack([found / k, _over(found, ranking.total), *average])


def _score_by_counts(distances: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Returns the same, averaged over the orders of tied items, of which it takes their numbers alone.

    n items at one distance, r of them relevant, come after s others, b of them relevant. The item at place
    j = 1..n among them has the rank s + j and, as `_expected` has it, the expected hits
    r / n (b + 1 + (j - 1) c) with c = (r - 1) / (n - 1). As j - 1 = (s + j) - (s + 1), the first m of them
    add r / n (m c + (b + 1 - (s + 1) c) (H(s + m) - H(s))) to R AP, where H(i) = 1 + 1/2 + ... + 1/i.

    Args:
        distances: non-negative integers [Q, M], small: the memory is that of a count for each.
        relevant: bool [Q, M].
        k: 1 to M.
    """
    rows, size = distances.shape
    width = int(distances.max()) + 1
    offsets = np.arange(rows)[:, np.newaxis] * width
    bins = 2 * (distances + offsets) + relevant
    counts = np.bincount(bins.ravel(), minlength=2 * rows * width).reshape(rows, width, 2)
    n, r = counts.sum(2), counts[:, :, 1].astype(np.float64)
    total = r.sum(1)
    s, b = np.cumsum(n, axis=1) - n, np.cumsum(r, axis=1) - r
    share, c = r / np.maximum(n, 1), np.maximum(r - 1, 0) / np.maximum(n - 1, 1)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, size + 1))])

    def average(most: int, best: np.ndarray) -> np.ndarray:
        m = np.clip(most - s, 0, n)
        hits = share * (m * c + (b + 1 - (s + 1) * c) * (harmonic[s + m] - harmonic[s]))
        return _over(hits.sum(1), best)

    found = (share * np.clip(k - s, 0, n)).sum(1)
    averages = average(size, total), average(k, np.minimum(k, total))
    return np.stack([found / k, _over(found, total), *averages])


def _check_ties(ties: str) -> None:
    checks.choice("ties", ties, TIES)


def _average_precision(ranking: _Ranking, k: int | None) -> np.ndarray:
    ranks = np.arange(1, ranking.hits.shape[1] + 1)
    total = ranking.total if k is None else np.minimum(k, ranking.total)
    return _over((ranking.hits / ranks)[:, :k].sum(1), total)


def _over(values: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.divide(values, total, out=np.full(len(total), np.nan), where=total > 0)


def _rank(distances: ArrayLike, relevant: ArrayLike, ties: str, k: int | None) -> _Ranking:
    far, right = np.asarray(distances), np.asarray(relevant)
    if far.ndim != 2 or far.shape != right.shape or right.dtype != np.bool_:
        raise ValueError(
            "distances and relevant must be numbers and booleans [Q, M]. Received: "
            f"distances.shape={far.shape}, relevant.shape={right.shape}, relevant.dtype={right.dtype}"
        )
    check_queries(far)
    check_k(far.shape[1] if k is None else k, far.shape[1])
    if not np.isfinite(far).all():
        raise ValueError(
            "distances must be finite; give what is not comparable a large one. "
            f"Received: {np.count_nonzero(~np.isfinite(far))} that are not"
        )
    _check_ties(ties)
    if np.issubdtype(far.dtype, np.integer) and far.min() >= 0 and far.max() < 1 << 16:
        far = far.astype(np.uint16)  # NumPy sorts these several times faster.
    order = np.argsort(far, axis=1, kind="stable")
    gains = np.take_along_axis(right, order, axis=1).astype(np.float64)
    if ties == "index":
        hits = gains * np.cumsum(gains, axis=1)
    else:
        hits = np.empty_like(gains)
        for row, values in enumerate(np.take_along_axis(far, order, axis=1)):
            gains[row], hits[row] = _expected(values, gains[row])
    return _Ranking(gains, hits, right.sum(1))


def _expected(distances: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expected gains and hits of one ranking over the orders of items at equal distance.

    In a group of n items with r relevant ones, the item at place j = 1..n is relevant with probability
    r / n; if it is, (j - 1) (r - 1) / (n - 1) of those before it are.
    """
    starts = np.flatnonzero(np.concatenate([[True], distances[1:] != distances[:-1]]))
    sizes = np.diff(starts, append=len(distances))
    found = np.add.reduceat(gains, starts)
    before = np.cumsum(found) - found
    place = np.arange(len(distances)) - np.repeat(starts, sizes)
    share = np.repeat(found / sizes, sizes)
    within = np.repeat(np.maximum(found - 1, 0) / np.maximum(sizes - 1, 1), sizes)
    return share, share * (np.repeat(before, sizes) + 1 + place * within)
