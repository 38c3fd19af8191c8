"""Training objectives, per example in nats."""

from tf_discrete.objectives.elbo import elbo
from tf_discrete.objectives.multi_sample import (
    importance_weighted,
    multilinear_log_prob,
    relaxed_importance_weighted,
)
from tf_discrete.objectives.relaxed_elbo import relaxed_elbo

__all__ = [
    "elbo",
    "importance_weighted",
    "multilinear_log_prob",
    "relaxed_elbo",
    "relaxed_importance_weighted",
]
