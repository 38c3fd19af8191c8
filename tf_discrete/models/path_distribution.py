"""`PathDistribution`: the distribution of a path, by the logits of each digit given the digits before."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.distributions import mixed_radix
from tf_discrete.distributions.tree_leaves import TreeLeaves
from tf_discrete.models import tree_paths
from tf_discrete.models.tree_paths import LogitsFn, over_children
from tf_discrete.types import Seed, Tensor


class PathDistribution:
    """A distribution over the categories of a tree whose digits depend on the digits before.

    It has the methods of `Discrete` that models read, with the values and codes of `PathCategorical`.
    Sampling and log-probabilities are exact. The mode is that of each digit in turn, given the digits before
    it; `logits` and `probs` are those along this path.

    Args:
        logits_fn: Maps a depth d and digits [*A, d, r] to the logits of the next digit, [*A, r].
        leaves: The tree.
        root: Prefixes of no digit, float [*B, 0, r].
    """

    def __init__(self, logits_fn: LogitsFn, leaves: TreeLeaves, root: tf.Tensor):
        self.logits_fn, self.leaves, self.root = logits_fn, leaves, root

    # Values and codes.

    def code(self, value: Tensor) -> tf.Tensor:
        """Converts values [..., D, r] to codes, int64 [..., 1]."""
        return self.leaves.node(value)[..., tf.newaxis]

    def digits(self, code: Tensor) -> tf.Tensor:
        """Converts codes int [..., 1] to digits, int64 [..., D]."""
        return mixed_radix.to_digits(code, self.leaves.branching)[..., 0, :]

    def one_hot(self, code: Tensor) -> tf.Tensor:
        """Converts codes int [..., 1] to values, float [..., D, r]."""
        return tf.one_hot(self.digits(code), self.root.shape[-1], dtype=self.root.dtype)

    # Probabilities.

    def mode(self) -> tf.Tensor:
        """Returns the value of the most probable digit given the most probable ones before, [*B, D, r]."""
        return self._follow(self.root, lambda depth, digit: digit.mode())

    def sample_codes(self, seed: Seed, num_samples: int | Tensor) -> tf.Tensor:
        """Samples codes, int64 [num_samples, *B, 1]."""
        shape = tf.concat([[num_samples], tf.shape(self.root)], axis=0)
        root = tf.ensure_shape(tf.broadcast_to(self.root, shape), [None, *self.root.shape])
        value = self._follow(
            root, lambda depth, digit: digit.sample(seeds.fold(seed, "digit", depth), 1)[0]
        )
        return self.code(value)

    def code_log_prob(self, codes: Tensor) -> tf.Tensor:
        """log q(codes) in nats, [...], of codes int [..., 1]; -inf of what is no category."""
        value = self.one_hot(codes)
        total = tf.add_n(
            [
                over_children(logits).log_prob(value[..., depth, tf.newaxis, :])
                for depth, logits in enumerate(self.logits_along(value))
            ]
        )
        inside = mixed_radix.contains(codes, self.leaves.branching)[..., 0]
        return tf.where(inside, total, tf.cast(-math.inf, total.dtype))

    def logits_along(self, value: Tensor) -> list[tf.Tensor]:
        """Returns the logits of each digit, [..., r], given the digits before it of values [..., D, r]."""
        depth = len(self.leaves.branching)
        return [self.logits_fn(level, value[..., :level, :]) for level in range(depth)]

    @property
    def logits(self) -> tf.Tensor:
        """The logits of each digit along the mode, [*B, D, r]."""
        return tf.stack(self.logits_along(self.mode()), axis=-2)

    @property
    def probs(self) -> tf.Tensor:
        """The probabilities of each digit along the mode, [*B, D, r]."""
        return tf.nn.softmax(self.logits)

    def kl_along(self, value: Tensor, other: PathDistribution) -> tf.Tensor:
        """Sums the KLs to another distribution at the nodes of paths [..., D, r], float [...]."""
        return tree_paths.kl_along(self.logits_along(value), value, other.logits_fn)

    def _follow(self, root: tf.Tensor, choose: tree_paths.Choice) -> tf.Tensor:
        return tree_paths.follow(self.logits_fn, len(self.leaves.branching), root, choose)
