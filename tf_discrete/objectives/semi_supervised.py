"""The semi-supervised objective of the M2 model, per example in nats."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_discrete import types
from tf_discrete.distributions import Discrete
from tf_discrete.distributions.masked_logs import finite
from tf_discrete.estimators import backward
from tf_discrete.estimators.base import Estimator
from tf_discrete.types import MaskedTerm, ObjectiveTerms, Tensor

BoundFn = Callable[[Tensor], Tensor]
"""Maps classes y [S, B, K], one-hot or relaxed, to [S, B]: E_q(z|x,y)[log p(x|y,z)], less the style's KL.

Of a class that is a path through a tree, K stands for the digits in one vector, here and below.
"""


def labelled_bound(bound_fn: BoundFn, one_hot: Tensor, prior: Discrete) -> tf.Tensor:
    """Computes L(x, y) = E_q(z|x,y)[log p(x|y,z)] - KL(q(z|x,y) || p(z)) + log p(y), [B], of known classes.

    Args:
        bound_fn: see `BoundFn`; its [S, B] is [1, B] here.
        one_hot: float [B, K], the classes.
        prior: p(y), logits [1, K].

    Example:
        >>> from tf_discrete.distributions import Categorical
        >>> prior = Categorical(tf.zeros([1, 2]))
        >>> bound = labelled_bound(lambda y: -3.0 * y[..., 0], tf.constant([[1.0, 0.0]]), prior)
        >>> round(float(bound[0]), 4)   # -3 - ln 2
        -3.6931
    """
    return bound_fn(one_hot[tf.newaxis])[0] + log_prior(prior, one_hot)


def unlabelled_bound(
    estimator: Estimator,
    logits: Tensor,
    noise: Tensor,
    bound_fn: BoundFn,
    prior: Discrete,
    *,
    one_hot: Tensor | None = None,
    context: Tensor | None = None,
    training: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes U(x) = E_q(y|x)[L(x, y)] + H(q(y|x)), [B], the expectation by any estimator.

    E_q[log p(y)] + H(q) is -KL(q(y|x) || p(y)), which is exact whatever the estimator; only the part
    that the networks compute is estimated. With `enumeration` this is the marginalised bound; with an
    estimator that draws, it is joint inference of class and style in one pass.

    Args:
        estimator: Estimator of the class, a categorical or tree-structured variable.
        logits: float [B, K], of q(y|x).
        noise: Noise of the estimator, for logits [B, 1, K].
        bound_fn: see `BoundFn`.
        prior: p(y), logits [1, K].
        one_hot: float [B, K], the classes of the rows that have one and zeros for the others. Those rows
            get L(x, y), and the classifier no gradient from them. Default: None, no row has one.
        context: float [B, D], for learned baselines.
        training: Bool, whether baselines and control variates learn from this call. Default: False.

    Returns:
        bound: [B]; its gradient is the estimator's.
        auxiliary: [B], to be minimised; 0 where the class is known.
    """
    logits = types.at_least_float32(logits)
    known = None if one_hot is None else tf.reduce_sum(one_hot, axis=-1) > 0.5
    if known is not None:
        logits = tf.where(known[:, tf.newaxis], tf.stop_gradient(logits), logits)

    def objective_fn(y: Tensor) -> tf.Tensor:
        y = prior.flatten(y)
        if known is not None:
            y = tf.where(known[:, tf.newaxis], tf.cast(one_hot, y.dtype), y)
        return bound_fn(y)

    outside = backward.divide_gradient(logits, estimator.gradient_scale)
    event = [-1, *prior.logits.shape]
    estimate = estimator.estimate(
        objective_fn, tf.reshape(logits, event), noise, context=context, training=training
    )
    kl = estimator.distribution(tf.reshape(outside, event)).kl_divergence(prior)
    if known is None:
        return estimate.value - kl, estimate.auxiliary
    class_term = tf.where(known, log_prior(prior, one_hot), -kl)
    return estimate.value + class_term, tf.where(known, 0.0, estimate.auxiliary)


def semi_supervised(
    bound: Tensor,
    auxiliary: Tensor,
    log_class: Tensor,
    known: Tensor,
    *,
    alpha: float | Tensor = 1.0,
    labelled_weight: float = 1.0,
) -> ObjectiveTerms:
    """Computes the loss from the bounds of labelled and unlabelled rows and the classification term.

    The mean over the B rows of a batch of

        loss_i = -labelled_weight * L(x_i, y_i) - alpha * log q(y_i | x_i)   where the class is known,
        loss_i = -U(x_i)                                                     where it is not.

    So an unlabelled image weighs 1, the ELBO of a labelled one `labelled_weight`, its cross-entropy
    `alpha`. The conventions of the sources, with N images of which N_l have labels, all seen equally often:
    Kingma et al. sum -L + -U over the data and add a N times the mean of -log q over the labels, which
    is alpha = a N / N_l (a = 0.1); Jang et al. add a times its sum, alpha = a; implementations that add a
    times the batch mean of -log q to the batch means of -L and -U have alpha = a where a batch holds as
    many labelled as unlabelled rows. Where labelled rows are seen r times as often as unlabelled ones,
    divide `alpha` and `labelled_weight` by r to keep a convention that counts each image once.

    Args:
        bound: float [B], L(x, y) where `known`, U(x) elsewhere.
        auxiliary: float [B], of the estimator.
        log_class: float [B], log q(y | x) of the known class; anything finite elsewhere.
        known: bool [B].
        alpha: weight of the classification term. Default: 1.0.
        labelled_weight: weight of the ELBO of labelled rows. Default: 1.0.

    Returns:
        terms: the loss; elbo_nats, elbo_labelled_nats, elbo_unlabelled_nats and classification_nats
            (-log q(y|x) of labelled rows).

    Reference:
        Kingma, Rezende, Mohamed, Welling. Semi-supervised learning with deep generative models. 2014.
        arXiv:1406.5298.
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """
    labelled = tf.cast(known, bound.dtype)
    cross_entropy = -tf.where(known, log_class, tf.zeros_like(log_class))
    weight = tf.where(known, tf.cast(labelled_weight, bound.dtype), 1.0)
    return ObjectiveTerms(
        loss=types.cast(alpha, bound.dtype) * cross_entropy - weight * bound,
        auxiliary=auxiliary,
        terms={
            "elbo_nats": bound,
            "elbo_labelled_nats": MaskedTerm(bound, labelled),
            "elbo_unlabelled_nats": MaskedTerm(bound, 1.0 - labelled),
            "classification_nats": MaskedTerm(cross_entropy, labelled),
        },
    )


def log_prior(prior: Discrete, one_hot: Tensor) -> tf.Tensor:
    """Returns log p(y), [B], of classes float [B, K]; 0 for rows of zeros."""
    log_probs = prior.flatten(finite(prior.category_log_probs))
    return tf.linalg.matvec(types.at_least_float32(one_hot), log_probs)
