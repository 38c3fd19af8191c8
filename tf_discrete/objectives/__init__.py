"""Training objectives, per example in nats, of one stochastic layer or several."""

from tf_discrete.objectives.balanced_kl import BalancedKL, balanced_kl
from tf_discrete.objectives.elbo import elbo, relaxed_elbo
from tf_discrete.objectives.importance_weighted import (
    doubly_reparameterized_factor,
    importance_weighted,
    relaxed_importance_weighted,
)
from tf_discrete.objectives.semi_supervised import (
    labelled_bound,
    semi_supervised,
    unlabelled_bound,
)
from tf_discrete.objectives.stochastic_layers import (
    StochasticLayers,
    log_ratio,
    negative_kl,
    one_layer,
)

__all__ = [
    "BalancedKL",
    "StochasticLayers",
    "balanced_kl",
    "doubly_reparameterized_factor",
    "elbo",
    "importance_weighted",
    "labelled_bound",
    "log_ratio",
    "negative_kl",
    "one_layer",
    "relaxed_elbo",
    "relaxed_importance_weighted",
    "semi_supervised",
    "unlabelled_bound",
]
