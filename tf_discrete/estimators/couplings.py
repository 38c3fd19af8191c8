"""Opposite pairs of categorical draws, made of opposite pairs of binary decisions.

A categorical draw is a walk down a binary tree whose leaves are the categories. At every node one uniform
number makes two opposite decisions; a walk takes those on its way. Memory is linear in the number of
categories.
"""

from __future__ import annotations

import tensorflow as tf

from tf_discrete._internal.softmax import softmax
from tf_discrete.estimators import antithetic
from tf_discrete.types import Tensor

COUPLINGS = ("tree", "stick_breaking")


def num_uniforms(coupling: str, num_categories: int) -> int:
    """Returns how many uniform numbers one variable takes: one for each node of its tree.

    Example:
        >>> num_uniforms("tree", 10), num_uniforms("stick_breaking", 10)
        (15, 10)
    """
    return 2 ** _depth(num_categories) - 1 if coupling == "tree" else num_categories


def draw_pair(
    coupling: str, uniform: Tensor, logits: Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns two opposite samples, and the direction in which their difference pushes the logits.

    Args:
        coupling: "tree" or "stick_breaking".
        uniform: float [..., `num_uniforms`] in (0, 1).
        logits: float [..., K], -inf where masked.

    Returns:
        first, second: one-hot float [..., K]; each has the distribution of softmax(logits).
        direction: float [..., K], 0 where both draws agree. The gradient of DisARM is
            (f(first) - f(second)) / 2 * direction.

    Reference:
        Dong, Mnih, Tucker. Coupled gradient estimators for discrete latent variables. 2021.
        arXiv:2106.08056.
    """
    if coupling == "tree":
        return _tree(uniform, logits)
    order = tf.argsort(logits, axis=-1)
    back = tf.argsort(order, axis=-1)
    rank = logits.shape.rank
    results = _sticks(uniform, tf.gather(logits, order, batch_dims=rank - 1))
    first, second, direction = (tf.gather(x, back, batch_dims=rank - 1) for x in results)
    return first, second, direction


def _tree(uniform: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    categories = logits.shape[-1]
    depth = _depth(categories)
    leaves = 2**depth
    padding = [[0, 0]] * (logits.shape.rank - 1) + [[0, leaves - categories]]
    logits = tf.pad(logits, padding, constant_values=-float("inf"))
    lead = tf.shape(logits)[:-1]
    walks = [tf.ones(tf.concat([lead, [1]], axis=0), logits.dtype)] * 2
    for level in range(depth):
        nodes = 2**level
        below = tf.reshape(logits, tf.concat([lead, [nodes, 2, leaves // nodes // 2]], axis=0))
        weight = tf.reduce_logsumexp(below, axis=-1)
        right = antithetic.bits(
            uniform[..., nodes - 1 : 2 * nodes - 1], _log_odds(weight[..., 1], weight[..., 0])
        )
        walks = [
            tf.reshape(
                tf.stack([walk * (1.0 - bit), walk * bit], axis=-1),
                tf.concat([lead, [2 * nodes]], axis=0),
            )
            for walk, bit in zip(walks, right, strict=True)
        ]
    codes = [tf.argmax(walk, axis=-1, output_type=tf.int32) for walk in walks]
    # Leaves whose number agrees with a walk's in all bits down to the first in which the walks differ.
    differing = tf.bitwise.bitwise_xor(*codes)
    height = tf.add_n(
        [tf.zeros_like(differing)]
        + [tf.cast(differing >= 2**bit, tf.int32) for bit in range(1, depth)]
    )[..., tf.newaxis]
    numbers = tf.bitwise.right_shift(tf.range(leaves), height)
    sets = [
        tf.equal(numbers, tf.bitwise.right_shift(code[..., tf.newaxis], height)) for code in codes
    ]
    direction = _direction(walks, sets, logits)
    return walks[0][..., :categories], walks[1][..., :categories], direction[..., :categories]


def _sticks(uniform: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    rest = tf.math.cumulative_logsumexp(logits, axis=-1, exclusive=True, reverse=True)
    # Where nothing is left the lowest finite number stands for log 0.
    rest = tf.where(rest > 0.5 * logits.dtype.min, rest, tf.cast(-float("inf"), logits.dtype))
    walks, codes = [], []
    for bit in antithetic.bits(uniform, _log_odds(logits, rest)):
        code = tf.argmax(bit, axis=-1, output_type=tf.int32)
        walks.append(tf.one_hot(code, logits.shape[-1], dtype=logits.dtype))
        codes.append(code[..., tf.newaxis])
    numbers, earlier = tf.range(logits.shape[-1]), tf.minimum(*codes)
    sets = [tf.equal(numbers, code) | ((numbers > earlier) & (code > earlier)) for code in codes]
    return walks[0], walks[1], _direction(walks, sets, logits)


def _direction(walks: list[tf.Tensor], sets: list[tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
    """z - z' - sigmoid(-|logsumexp over A - logsumexp over A'|) * (softmax over A - softmax over A')."""
    minus_infinity = tf.cast(-float("inf"), logits.dtype)
    inside = [tf.where(members, logits, minus_infinity) for members in sets]
    weight = [tf.reduce_logsumexp(x, axis=-1, keepdims=True) for x in inside]
    part = tf.sigmoid(-tf.abs(weight[0] - weight[1]))
    difference = softmax(inside[0]) - softmax(inside[1])
    agree = tf.reduce_all(tf.equal(walks[0], walks[1]), axis=-1, keepdims=True)
    direction = walks[0] - walks[1] - part * difference
    return tf.where(agree, tf.zeros_like(direction), direction)


def _log_odds(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """one - other for logarithms of weights, +-inf where one of them has no weight."""
    infinity = tf.cast(float("inf"), one.dtype)
    odds = tf.where(tf.math.is_finite(other), one - other, infinity)
    return tf.where(tf.math.is_finite(one), odds, -infinity)


def _depth(num_categories: int) -> int:
    return (num_categories - 1).bit_length()
