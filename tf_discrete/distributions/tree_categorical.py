"""Tree-structured latents: variables of very many categories, each a path through a tree."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.distributions import kinds, mixed_radix
from tf_discrete.distributions.categorical import Categorical
from tf_discrete.distributions.configurations import MAX_CONFIGURATIONS, joint_configurations
from tf_discrete.distributions.discrete import Discrete
from tf_discrete.distributions.discrete_values import Axes
from tf_discrete.types import JsonObject, Tensor


@kinds.register
class TreeCategorical(Categorical):
    """N independent variables of K categories, each category a path of D independent digits.

    A node at depth d has b_d children, and the categories of a variable are the leaves of its tree in order:
    K = b_1 * ... * b_D. Each digit, which chooses a child, is a categorical variable of its own, and the
    digits of a path are independent. So a value is the one-hot digits of all paths, [..., N * D, r] with r
    the largest b_d; smaller digits are filled up with categories of probability 0. To an estimator the N * D
    digits are the variables. Sampling, log q, entropy, KL and mode are exact and take O(N * D * r); no tensor
    has an axis of K.

    A digit may be masked by a logit of -inf, which leaves out the same child of every node at that depth: at
    the first depth a whole subtree. Independent digits cannot leave out a single category;
    `tf_discrete.models.AutoregressiveTree` can.

    The class is made by its branching: `tf_discrete.distributions.get("tree:32,32,32,32")`.

    Args:
        logits: float [..., N * D, r], the digits of the first variable first; unnormalised, -inf where
            masked.

    Attributes:
        branching: b_1, ..., b_D.
        num_categories: K.

    Raises:
        ValueError: Logits of another shape, or a class without a branching.

    Example:
        >>> from tf_discrete import distributions, seeds
        >>> tree = distributions.get(distributions.tree_latents((1000, 1000, 1000)))
        >>> q = tree(tf.zeros([2, 3, 1000]))
        >>> q.code(q.sample(seeds.base(0), 5)).shape, round(float(q.entropy()[0]), 4)   # ln 1e9 nats
        (TensorShape([5, 2, 1]), 20.7233)
        >>> q.code(q.one_hot([[123456789]])).numpy()
        array([[123456789]])

    Reference:
        Morin, Bengio. Hierarchical probabilistic neural network language model. 2005 (the tree).
    """

    latents = "tree"
    takes_parameters = True
    code_dtype = tf.int64
    branching: tuple[int, ...] = ()
    num_categories = 0

    def __init__(self, logits: Tensor):
        if not self.branching:
            self.with_parameters("")
        super().__init__(logits)
        self.check_logits((None, *self.logits.shape))
        self.logits = self.masked(self.logits)

    @classmethod
    def with_parameters(cls, parameters: str) -> type[Discrete]:
        parts = parameters.split(",")
        if not all(part.isdecimal() for part in parts):
            given = f"{cls.latents}:{parameters}" if parameters else cls.latents
            raise ValueError(
                f"{cls.latents.capitalize()} latents must name the children of a node at each depth, such as "
                f"latents='{cls.latents}:32,32,32,32' for 2**20 categories; see "
                f"distributions.{cls.latents}_latents. Received: latents={given!r}"
            )
        return _with_branching(cls, mixed_radix.check_branching([int(part) for part in parts]))

    @classmethod
    def formulas(cls) -> str:
        return Categorical.latents

    # Shapes.

    @classmethod
    def value_shape(cls, num_variables: int | None, num_categories: int | None) -> Axes:
        count = None if num_variables is None else num_variables * len(cls.branching)
        return (count, max(cls.branching))

    @classmethod
    def sizes_of(cls, logits_shape: Sequence[int | None]) -> tuple[int | None, int | None]:
        count, _ = logits_shape
        return None if count is None else count // len(cls.branching), cls.num_categories

    @classmethod
    def digit_sizes(cls, num_variables: int, num_categories: int) -> tuple[int, int]:
        return num_variables * len(cls.branching), max(cls.branching)

    @classmethod
    def check_sizes(cls, num_variables: object, num_categories: object) -> tuple[int, int]:
        num_variables = checks.whole("num_variables", num_variables)
        num_categories = checks.whole("num_categories", num_categories, 2, checks.INT64_MAX)
        mixed_radix.check_branching(cls.branching, num_categories)
        cls._check_num_logits(num_variables)
        return num_variables, num_categories

    @classmethod
    def _check_num_logits(cls, num_variables: int) -> None:
        if math.prod(cls.digit_sizes(num_variables, cls.num_categories)) > checks.INT32_MAX:
            raise ValueError(
                f"Latents may have at most {checks.INT32_MAX} logits. Use a deeper tree. Received: "
                f"num_variables={num_variables}, branching={cls.branching}"
            )

    @classmethod
    def check_logits(cls, shape: Sequence[int | None]) -> None:
        """Refuses logits without an axis for the batch, the digits or their categories."""
        depth, size = len(cls.branching), max(cls.branching)
        count, own = (None, None) if len(shape) < 3 else shape[-2:]
        if len(shape) < 3 or own not in (None, size) or (count is not None and count % depth):
            raise ValueError(
                f"Logits of {cls.latents} latents must be [batch, ..., num_variables * {depth}, {size}]: one "
                f"row for each digit. LatentHead(num_variables, {cls.num_categories}, {cls.latents!r}) makes "
                f"them. Received: inputs.shape={tuple(shape)}"
            )

    @classmethod
    def masked(cls, logits: tf.Tensor) -> tf.Tensor:
        if min(cls.branching) == max(cls.branching):
            return logits
        repeats = tf.shape(logits)[-2] // len(cls.branching)
        allowed = tf.tile(_allowed(cls.branching), [repeats, 1])
        return tf.where(allowed, logits, tf.cast(-math.inf, logits.dtype))

    # Values and codes.

    @classmethod
    def digits(cls, code: Tensor) -> tf.Tensor:
        """Returns the digits of codes int [..., N], int64 [..., N * D]; the first variable's first.

        Raises:
            ValueError: Codes outside [0, K). In a graph their digits are -1, which are one-hot vectors of 0.
        """
        found = mixed_radix.to_digits(code, cls.branching)
        count = found.shape[-2] and found.shape[-2] * len(cls.branching)
        shape = tf.concat([tf.shape(found)[:-2], [-1 if count is None else count]], axis=0)
        return tf.reshape(found, shape)

    @classmethod
    def join_digits(cls, found: Tensor) -> tf.Tensor:
        """Returns the codes of digits int [..., N * D], int64 [..., N]."""
        return mixed_radix.from_digits(cls._by_variable(tf.convert_to_tensor(found)), cls.branching)

    def code(self, value: Tensor) -> tf.Tensor:
        """Converts values, one-hot or relaxed, to codes, int64 [..., N]."""
        return self.join_digits(super().code(value))

    @classmethod
    def describe_codes(cls) -> JsonObject:
        return {**super().describe_codes(), "branching": list(cls.branching)}

    # Probabilities.

    def log_prob(self, value: Tensor) -> tf.Tensor:
        """log q(value) in nats, [...]; -inf where a digit has no category, as those of no code."""
        found = super().log_prob(value)
        chosen = tf.reduce_all(tf.reduce_max(value, axis=-1) > 0.5, axis=-1)
        return tf.where(chosen, found, tf.cast(-math.inf, found.dtype))

    def code_log_prob(self, codes: Tensor) -> tf.Tensor:
        codes = tf.cast(codes, self.code_dtype)
        inside = mixed_radix.contains(codes, self.branching)
        found = super().code_log_prob(tf.where(inside, codes, tf.zeros_like(codes)))
        chosen = tf.reduce_all(inside, axis=-1)
        return tf.where(chosen, found, tf.cast(-math.inf, found.dtype))

    @property
    def code_probs(self) -> tf.Tensor:
        """q of each category of each variable, float [..., N, K].

        Raises:
            ValueError: More than `MAX_CONFIGURATIONS` categories.
        """
        if self.num_categories > MAX_CONFIGURATIONS:
            raise ValueError(
                f"At most {MAX_CONFIGURATIONS} probabilities are listed. Read log_prob of the codes "
                f"in question, or probs of the digits. Received: num_categories={self.num_categories}"
            )
        probs, size = self.category_probs, self.category_probs.shape[-1]
        shape = tf.concat([tf.shape(probs)[:-2], [-1, len(self.branching), size]], axis=0)
        digits = tf.reshape(probs, shape)
        found = digits[..., 0, : self.branching[0]]
        for depth, children in enumerate(self.branching[1:], 1):
            pairs = found[..., tf.newaxis] * digits[..., depth, tf.newaxis, :children]
            found = tf.reshape(pairs, tf.concat([tf.shape(pairs)[:-2], [-1]], axis=0))
        count = None if probs.shape[-2] is None else probs.shape[-2] // len(self.branching)
        found.set_shape([*probs.shape[:-2], count, self.num_categories])
        return found

    def enumerate(self) -> tf.Tensor:
        """Lists all joint configurations, float [K**N, N * D, r], the last variable fastest.

        Raises:
            ValueError: There are more than `MAX_CONFIGURATIONS`.
        """
        count, _ = self.static_sizes(self.logits)
        return self.one_hot(joint_configurations(count // len(self.branching), self.num_categories))

    def entropy_per_variable(self) -> tf.Tensor:
        return tf.reduce_sum(self._by_variable(super().entropy_per_variable()), axis=-1)

    def kl_per_variable(self, other: Discrete) -> tf.Tensor:
        return tf.reduce_sum(self._by_variable(super().kl_per_variable(other)), axis=-1)

    @classmethod
    def _by_variable(cls, of_digits: tf.Tensor) -> tf.Tensor:
        """Returns numbers of digits, [..., N * D], as [..., N, D]."""
        shape, depth = of_digits.shape, len(cls.branching)
        grouped = tf.reshape(of_digits, tf.concat([tf.shape(of_digits)[:-1], [-1, depth]], axis=0))
        count = None if shape[-1] is None else shape[-1] // depth
        grouped.set_shape([*shape[:-1], count, depth])
        return grouped


def tree_latents(branching: Sequence[int], num_categories: int | None = None) -> str:
    """Returns the name of the kind of tree-structured latents with a branching.

    Args:
        branching: Integers >= 2, the children of a node at each depth.
        num_categories: K, to be checked against the branching. Default: None, for no check.

    Raises:
        ValueError: No branching, one into another number of categories, or into 2**63 or more.

    Example:
        >>> tree_latents((32, 32, 32, 32), num_categories=2**20)
        'tree:32,32,32,32'
    """
    found = mixed_radix.check_branching(branching, num_categories)
    return f"{TreeCategorical.latents}:{','.join(map(str, found))}"


def digit_mask(
    branching: Sequence[int], masked: Sequence[tuple[int, int]], dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """Returns what to add to the logits of one variable to leave out digits: 0 or -inf, [D, r].

    Args:
        branching: Integers >= 2, the children of a node at each depth.
        masked: Pairs of a depth in [0, D) and a child in [0, b_d): the child of all nodes at the depth.
        dtype: Dtype of the logits. Default: float32.

    Raises:
        ValueError: No such child, or a depth that keeps none.

    Example:
        >>> digit_mask((2, 3), masked=[(1, 0)]).numpy().tolist()
        [[0.0, 0.0, -inf], [-inf, 0.0, 0.0]]
    """
    branching = mixed_radix.check_branching(branching)
    allowed = _allowed(branching)
    for pair in masked:
        depth, child = pair if isinstance(pair, (list, tuple)) and len(pair) == 2 else (None, None)
        if not (_is_below(depth, len(branching)) and _is_below(child, branching[depth])):
            raise ValueError(
                "masked must be pairs of a depth and a child that nodes at this depth have. "
                f"Received: {checks.shown(pair)} with branching={branching}"
            )
        allowed[depth, child] = False
    empty = np.flatnonzero(~allowed.any(axis=1)).tolist()
    if empty:
        raise ValueError(
            "Every digit must keep at least one child. Mask fewer children. "
            f"Received: masked={checks.shown(masked)}, which leaves none at depths {empty}"
        )
    return tf.constant(np.where(allowed, 0.0, -math.inf), dtype)


@functools.cache
def _with_branching(
    base: type[TreeCategorical], branching: tuple[int, ...]
) -> type[TreeCategorical]:
    """Returns the class of a branching, one and the same for the same branching."""
    attributes = {
        "latents": f"{base.latents}:{','.join(map(str, branching))}",
        "branching": branching,
        "num_categories": math.prod(branching),
        "__module__": base.__module__,
        "__doc__": base.__doc__,
    }
    return type(base.__name__, (base,), attributes)


def _is_below(value: object, bound: int) -> bool:
    return type(value) is int and 0 <= value < bound


def _allowed(branching: tuple[int, ...]) -> np.ndarray:
    """Returns which categories the digits of one variable have, bool [D, r]."""
    return np.arange(max(branching)) < np.array(branching)[:, np.newaxis]
