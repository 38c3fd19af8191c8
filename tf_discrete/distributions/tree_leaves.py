"""`TreeLeaves`: the leaves of a tree that are categories, where it is ragged or parts are masked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_discrete import types
from tf_discrete._internal import checks
from tf_discrete.distributions import mixed_radix
from tf_discrete.types import Tensor


class TreeLeaves:
    """The first K leaves of a tree, without masked subtrees and single leaves.

    Args:
        num_categories: Int K >= 2.
        branching: Integers >= 2, the children of a node at each depth, whose product is at least K. Leaves
            from K on do not exist.
        masked: Prefixes of digits, each a sequence of 1 to D integers: a subtree, or with D of them a leaf.
            Default: none.

    Attributes:
        num_allowed: How many leaves are categories.

    Raises:
        ValueError: A branching that does not reach K leaves or has a needless depth, prefixes of no node, or
            no leaf that is left.

    Example:
        >>> leaves = TreeLeaves(7, (2, 2, 2), masked=[(0, 1), (1, 0, 0)])   # of 0, 1, .., 6: 2, 3 and 4
        >>> leaves.num_allowed, leaves.counts(0, 0).numpy().tolist(), leaves.counts(1, 1).numpy().tolist()
        (4, [2, 2], [1, 1])
    """

    def __init__(
        self,
        num_categories: int,
        branching: Sequence[int],
        masked: Sequence[Sequence[int]] = (),
    ):
        self.num_categories = checks.whole("num_categories", num_categories, 2, checks.INT64_MAX)
        self.branching = mixed_radix.check_branching(branching)
        self.places = mixed_radix.place_values(self.branching)
        if math.prod(self.branching) < self.num_categories or self.places[0] >= self.num_categories:
            raise ValueError(
                "The leaves of the tree must reach num_categories, and the root must need two children. Give "
                f"a branching such as {mixed_radix.equal_branching(self.num_categories)}. "
                f"Received: branching={self.branching}, num_categories={num_categories}"
            )
        self.masked = self._outermost(masked)
        self._masked_below = [self._counted(depth) for depth in range(1, len(self.branching) + 1)]
        self.num_allowed = self.num_categories - sum(map(self._size, self.masked))
        if self.num_allowed < 1:
            raise ValueError(
                "At least one category must be left. Mask fewer subtrees. "
                f"Received: masked={checks.shown(self.masked)}, num_categories={num_categories}"
            )

    @property
    def irregular(self) -> bool:
        """Whether the children that have categories depend on the node, and not on its depth alone."""
        return self.num_allowed < math.prod(self.branching)

    def counts(self, depth: int, node: Tensor) -> tf.Tensor:
        """Returns the number of categories below each child of a node; 0 for one that is masked.

        Args:
            depth: Int in [0, D), digits of the prefix that leads to the node.
            node: Int [...], the number of the node at this depth, its digits in the mixed radix.

        Returns:
            counts: int64 [..., b_d].
        """
        node = tf.cast(node, tf.int64)[..., tf.newaxis]
        child = node * self.branching[depth] + np.arange(self.branching[depth], dtype=np.int64)
        place = self.places[depth]
        found = tf.clip_by_value(self.num_categories - child * place, 0, place)
        nodes, sizes = self._masked_below[depth]
        if not len(nodes):
            return found
        flat = tf.reshape(child, [-1])
        index = tf.minimum(tf.searchsorted(nodes, flat), len(nodes) - 1)
        hit = tf.equal(tf.gather(nodes, index), flat)
        lost = tf.where(hit, tf.gather(sizes, index), tf.zeros_like(flat))
        return found - tf.reshape(lost, tf.shape(found))

    def node(self, prefix: Tensor) -> tf.Tensor:
        """Returns the number of the node that a prefix leads to, int64 [*A] of one-hot digits [*A, d, r]."""
        digits = tf.argmax(prefix, axis=-1, output_type=tf.int64)
        return mixed_radix.from_digits(digits, self.branching[: digits.shape[-1]])

    def mask(self, logits: Tensor, before: Tensor) -> tf.Tensor:
        """Returns logits of the children of nodes with -inf where there is no category, [*A, r].

        Args:
            logits: float [*A, b_d].
            before: One-hot digits of the prefixes that lead to the nodes, float [*A, d, r].
        """
        lost = max(self.branching) - logits.shape[-1]
        logits = tf.pad(logits, [[0, 0]] * (logits.shape.rank - 1) + [[0, lost]])
        counts = self._counts_after(before)
        # Of a node that no path reaches all stay, so that it is finite.
        possible = (counts > 0) | tf.reduce_all(tf.equal(counts, 0), axis=-1, keepdims=True)
        return tf.where(possible, logits, tf.cast(-math.inf, logits.dtype))

    def uniform_logits(self, depth: int, before: Tensor) -> tf.Tensor:
        """Returns the logits of the children, [*A, r], of the uniform distribution over all categories."""
        counts = self._counts_after(before)[..., : self.branching[depth]]
        dtype = types.at_least_float32(before).dtype
        return self.mask(tf.math.log(tf.cast(tf.maximum(counts, 1), dtype)), before)

    def enumerate(self) -> tf.Tensor:
        """Lists the codes of all categories, int64 [num_allowed]."""
        codes = tf.range(self.num_categories, dtype=tf.int64)
        digits = mixed_radix.to_digits(codes, self.branching)
        value, inside = tf.one_hot(digits, max(self.branching)), tf.ones_like(codes, tf.bool)
        for depth in range(len(self.branching)):
            counts = self._counts_after(value[:, :depth])
            inside &= tf.gather(counts, digits[:, depth], batch_dims=1) > 0
        return tf.boolean_mask(codes, inside)

    def _counts_after(self, before: Tensor) -> tf.Tensor:
        """Returns `counts` of the nodes that one-hot digits [*A, d, r] lead to, int64 [*A, r]."""
        depth = before.shape[-2]
        counts = self.counts(depth, self.node(before))
        lost = max(self.branching) - self.branching[depth]
        return tf.pad(counts, [[0, 0]] * (counts.shape.rank - 1) + [[0, lost]])

    def _size(self, prefix: tuple[int, ...]) -> int:
        """Returns how many of the K leaves lie below a prefix."""
        place = int(self.places[len(prefix) - 1])
        return min(max(self.num_categories - self._number(prefix) * place, 0), place)

    def _number(self, prefix: tuple[int, ...]) -> int:
        number = 0
        for digit, children in zip(prefix, self.branching, strict=False):
            number = number * children + digit
        return number

    def _counted(self, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """The nodes at a depth that have masked leaves below them, and how many: int64 [U] each, sorted."""
        found: dict[int, int] = {}
        for prefix in self.masked:
            if len(prefix) >= depth:
                ancestor = self._number(prefix[:depth])
                found[ancestor] = found.get(ancestor, 0) + self._size(prefix)
        nodes = sorted(found)
        return np.array(nodes, np.int64), np.array([found[node] for node in nodes], np.int64)

    def _outermost(self, masked: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
        """Returns checked prefixes, those below others left out."""
        if not isinstance(masked, (list, tuple)):
            checks.refuse("masked", "a sequence of prefixes of digits", masked)
        prefixes = set()
        for given in masked:
            prefix = tuple(map(checks.plain, given)) if isinstance(given, (list, tuple)) else ()
            inside = 0 < len(prefix) <= len(self.branching) and all(
                type(digit) is int and 0 <= digit < children
                for digit, children in zip(prefix, self.branching, strict=False)
            )
            if not inside or not self._size(prefix):
                raise ValueError(
                    "masked must be prefixes of digits of nodes that the tree has. Give 1 to "
                    f"{len(self.branching)} digits below {self.branching}. "
                    f"Received: masked={checks.shown(masked)}, of which {checks.shown(given)}"
                )
            prefixes.add(prefix)
        return tuple(
            sorted(
                prefix
                for prefix in prefixes
                if not any(prefix[:depth] in prefixes for depth in range(1, len(prefix)))
            )
        )
