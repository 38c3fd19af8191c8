"""One variable at a time, the others at a sample: what enumeration and sum-and-sample share.

Given a sample z of all variables, the gradient for the logits of variable n is the exact expectation over
z_n, or over its most probable categories, of f with the other variables where they were drawn. Over the
draws of the others this is unbiased, at a cost that grows with N * K where the joint one grows with K**N.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tf_discrete.distributions import Discrete
from tf_discrete.estimators import reductions, sampling, score
from tf_discrete.types import Estimate, Tensor


class Members(NamedTuple):
    """The categories of each variable at which the objective is wanted, the drawn one first.

    Attributes:
        codes: int32 [S, *B, N, M].
        weights: float [S, *B, N, M]; the probability of a category that is summed, or that of all others
            together for the one that is drawn among them.
        summed: bool [S, *B, N, M], which of the two.
    """

    codes: tf.Tensor
    weights: tf.Tensor
    summed: tf.Tensor


def evaluate(
    call: score.ScoreCall, distribution: Discrete, perturbed: Tensor, num_summed: int
) -> tuple[Estimate, score.ScoreGradient]:
    """f at the sample, with the gradient of each variable from its own categories.

    For every variable, with the others at a sample, C its `num_summed` most probable categories, z' a
    draw outside C and b the mean of f over C,
    gradient = sum over c in C of q(c) (f(c) - b) s(c) + (1 - q(C)) (f(z') - b) s(z'), s the score.
    1 + N * `num_summed` evaluations a sample, all but the first without a backward pass; their inputs
    take N * `num_summed` * N * K numbers.

    Args:
        call: of the estimator.
        distribution: q, with logits [S, *B, N(, K)].
        perturbed: float [S, *B, N, K]; its argmax is the sample, its argmax outside C is z'. Log
            probabilities plus Gumbel noise make these two independent, and one and the same where the
            draw is not in C.
        num_summed: from 1 to K - 1, where nothing but the other variables is drawn.

    Returns:
        estimate: Estimate of the value at the sample, see `tf_discrete.types.Estimate`.
        gradient: for the logits of `distribution`.

    Reference:
        Titsias, Lazaro-Gredilla. Local expectation gradients for black box variational inference. 2015.
        arXiv:1503.01494.
    """
    members = _members(tf.stop_gradient(distribution.category_log_probs), perturbed, num_summed)
    drawn = members.codes[..., 0]
    z = tf.stop_gradient(distribution.from_digits(drawn))
    result = call.evaluate(z)
    others = reductions.evaluate(
        call.objective_fn, _neighbours(distribution, members.codes), distribution.event_rank
    )
    values = _beside(result.per_sample, others.per_sample, num_summed)
    values = tf.cast(values, members.weights.dtype)
    top = tf.where(members.summed, members.weights, 0.0)
    baseline = tf.reduce_sum(top * values, -1, keepdims=True) / tf.reduce_sum(
        top, -1, keepdims=True
    )
    credit = members.weights * (values - baseline)
    gradient = sampling.sample_weight(z, call.reduce, credit.dtype) * distribution.weighted_scores(
        members.codes, credit
    )
    return result, score.ScoreGradient(gradient)


def is_joint(mode: str, sizes: tuple[int, int], num_summed: int, budget: int) -> bool:
    """Returns whether all variables are listed jointly; refuses what fits neither way.

    Args:
        mode: "joint", "per_variable", or "auto": jointly if that fits.
        sizes: N and K.
        num_summed: As in `estimate`.
        budget: `max_configurations`.
    """
    variables, categories = sizes
    jointly = categories**variables
    each = 1 + variables * min(num_summed, categories - 1)
    if mode != "per_variable" and jointly <= budget:
        return True
    if mode != "joint" and each <= budget:
        return False
    remedy = "set mode='per_variable', " if mode == "joint" else ""
    raise ValueError(
        "At most max_configurations configurations are listed. Use fewer variables or categories, raise "
        f"max_configurations if they fit in memory, {remedy}or take an estimator that only samples, such "
        f"as score_function or disarm. Received: num_variables={variables}, "
        f"num_categories={categories}, which makes {jointly} configurations jointly and {each} with one "
        f"variable at a time, mode={mode!r}, max_configurations={budget}"
    )


def _members(log_q: tf.Tensor, perturbed: tf.Tensor, num_summed: int) -> Members:
    order = tf.argsort(log_q, axis=-1, direction="DESCENDING", stable=True)
    top, others = order[..., :num_summed], tf.argsort(order, axis=-1) >= num_summed
    minus_infinity = tf.cast(-float("inf"), log_q.dtype)
    drawn = tf.argmax(perturbed, axis=-1, output_type=tf.int32)[..., tf.newaxis]
    outside = tf.argmax(tf.where(others, perturbed, minus_infinity), axis=-1, output_type=tf.int32)[
        ..., tf.newaxis
    ]
    # The draw stands first; in the place of its own category stands the one drawn outside.
    place = tf.equal(top, drawn)
    codes = tf.concat([drawn, tf.where(place, outside, top)], axis=-1)
    axes = codes.shape.rank - 1
    rest = tf.concat([tf.gather(others, drawn, batch_dims=axes), place], axis=-1)
    rest_weight = tf.reduce_sum(tf.exp(tf.where(others, log_q, minus_infinity)), -1, keepdims=True)
    weights = tf.where(rest, rest_weight, tf.exp(tf.gather(log_q, codes, batch_dims=axes)))
    # Impossible values contribute nothing; the objective sees the sample in its place.
    return Members(tf.where(weights > 0, codes, drawn), weights, ~rest)


def _neighbours(distribution: Discrete, codes: tf.Tensor) -> tf.Tensor:
    """Returns the sample with one variable in another of its members, float [N * (M - 1) * S, *B, N(, K)]."""
    drawn, rank = codes[..., 0], codes.shape.rank - 1
    others = tf.transpose(codes[..., 1:], [rank, *range(rank)])
    one = tf.eye(codes.shape[-2], dtype=tf.bool)
    for _ in range(rank):
        one = one[:, tf.newaxis]
    moved = tf.where(one, others, drawn)  # [N, M - 1, S, *B, N]
    return distribution.from_digits(
        tf.reshape(moved, tf.concat([[-1], tf.shape(drawn)[1:]], axis=0))
    )


def _beside(drawn: tf.Tensor, others: tf.Tensor, num_summed: int) -> tf.Tensor:
    """The objective at all members, [S, *B, N, M], from that at the sample [S, *B] and at the neighbours."""
    others = tf.reshape(others, tf.concat([[-1, num_summed], tf.shape(drawn)], axis=0))
    rank = others.shape.rank
    others = tf.transpose(others, [*range(2, rank), 0, 1])
    drawn = sampling.expand(drawn, 2)
    return tf.concat([tf.broadcast_to(drawn, tf.shape(others[..., :1])), others], axis=-1)
