"""Training objectives, per example in nats."""

from tf_discrete.objectives.elbo import elbo
from tf_discrete.objectives.layered import (
    exact_part,
    layered_log_ratio,
    layered_negative_kl,
    layered_relaxed_log_ratio,
)
from tf_discrete.objectives.multi_sample import (
    doubly_reparameterized_factor,
    importance_weighted,
    relaxed_importance_weighted,
)
from tf_discrete.objectives.relaxed_elbo import log_ratio, relaxed_elbo
from tf_discrete.objectives.semi_supervised import (
    labelled_bound,
    semi_supervised,
    unlabelled_bound,
)

__all__ = [
    "doubly_reparameterized_factor",
    "elbo",
    "exact_part",
    "importance_weighted",
    "labelled_bound",
    "layered_log_ratio",
    "layered_negative_kl",
    "layered_relaxed_log_ratio",
    "log_ratio",
    "relaxed_elbo",
    "relaxed_importance_weighted",
    "semi_supervised",
    "unlabelled_bound",
]
