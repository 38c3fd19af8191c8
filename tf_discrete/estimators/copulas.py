"""Samples of one categorical variable that avoid one another, by sticks that are broken together.

A category is found by breaking a stick: the categories in a fixed order, the least probable first, and each
is taken with its share of what is left. M samples break the same sticks with M uniform numbers that cannot
all be small together: those of a Dirichlet copula. In this order no share exceeds one half but that of the
last category, and each pair of different categories remains possible.
"""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.types import Tensor


def sticks(log_probs: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the categories in the order of their sticks, and the share that each takes of the rest.

    Args:
        log_probs: float [..., K], logarithms of probabilities up to a constant; -inf where masked.

    Returns:
        order: int32 [..., K], the least probable category first.
        probs: float [..., K - 1], in [0, 1 / 2]; the last category takes what is left.

    Example:
        >>> order, probs = sticks(tf.math.log([0.5, 0.2, 0.3]))
        >>> order.numpy().tolist(), [round(float(p), 4) for p in probs]   # 0.2 of 1, 0.3 of 0.8
        ([1, 2, 0], [0.2, 0.375])
    """
    log_probs = tf.convert_to_tensor(log_probs)
    order = tf.argsort(log_probs, axis=-1)
    ordered = tf.gather(log_probs, order, batch_dims=log_probs.shape.rank - 1)
    rest = tf.math.cumulative_logsumexp(ordered, axis=-1, exclusive=True, reverse=True)
    return order, tf.sigmoid(ordered[..., :-1] - rest[..., :-1])


def draw(uniform: Tensor, probs: Tensor) -> tf.Tensor:
    """Breaks the sticks of M samples together.

    Args:
        uniform: float [..., K - 1, M] in (0, 1), independent.
        probs: float [..., K - 1], of `sticks`.

    Returns:
        places: int32 [..., M], which stick each sample takes, K - 1 for the last.

    Example:
        >>> draw(tf.constant([[0.1, 0.9], [0.2, 0.3]]), [0.2, 0.375]).numpy().tolist()
        [0, 2]
    """
    taken = antithetic_uniform(uniform) < tf.convert_to_tensor(probs)[..., tf.newaxis]
    last = tf.ones_like(taken[..., :1, :])
    found = tf.concat([taken, last], axis=-2)
    return tf.argmax(tf.cast(found, tf.int32), axis=-2, output_type=tf.int32)


def antithetic_uniform(uniform: Tensor) -> tf.Tensor:
    """Converts independent uniform numbers [..., M] to those of a Dirichlet copula.

    With d uniform on the simplex of M parts these are (1 - d)**(M - 1): each is uniform, and
    they cannot all be small together. Of M = 2 one is 1 minus the other.

    Reference:
        Dimitriev, Zhou. ARMS: antithetic-REINFORCE-multi-sample gradient for binary variables. 2021.
        arXiv:2105.14141.
    """
    parts = -tf.math.log(
        uniform
    )  # Standard exponential variables over their sum are uniform there.
    total = tf.reduce_sum(parts, axis=-1, keepdims=True)
    return (1.0 - parts / total) ** (uniform.shape[-1] - 1)


def both_below(probs: Tensor, num_coupled: int) -> tf.Tensor:
    """P(u_1 < p and u_2 < p) of two of M numbers of a Dirichlet copula, of the shape of `probs`.

    Example:
        >>> [round(float(p), 4) for p in both_below([0.25, 0.5], 3)]   # (2 sqrt(p) - 1)**2, not p**2
        [0.0, 0.1716]
    """
    power = num_coupled - 1.0
    root = tf.convert_to_tensor(probs) ** (1.0 / power)
    return tf.nn.relu(2.0 * root - 1.0) ** power


def independence_ratios(probs: Tensor, num_coupled: int) -> tf.Tensor:
    """q(i) q(j) / P(i and j) of two of M coupled samples that take different sticks, by the earlier one.

    At the sticks before it both go on, at it one of them does; after it one sample is alone. It is at most
    2 - 2 / K.

    Args:
        probs: float [..., K - 1], of `sticks`.
        num_coupled: M.

    Returns:
        ratios: float [..., K - 1], by the number of the earlier stick.
    """
    probs = tf.convert_to_tensor(probs)
    both = both_below(probs, num_coupled)
    # At the last stick the shares may be equal, and two samples of M = 2 do not both go on; none looks there.
    go_on = tf.math.divide_no_nan((1.0 - probs) ** 2, 1.0 - 2.0 * probs + both)
    before = tf.math.cumprod(go_on, axis=-1, exclusive=True)
    return before * (1.0 - probs) / (1.0 - tf.math.divide_no_nan(both, probs))


def at_earlier(ratios: Tensor, one: Tensor, other: Tensor) -> tf.Tensor:
    """Returns the ratio of two samples [...] of `independence_ratios`, by their sticks; 0 if they agree."""
    ratios, place = tf.convert_to_tensor(ratios), tf.minimum(one, other)
    place = tf.minimum(place, ratios.shape[-1] - 1)
    found = tf.gather(ratios, place, batch_dims=place.shape.rank)
    return tf.where(tf.equal(one, other), tf.zeros_like(found), found)
