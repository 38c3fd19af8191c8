"""Training objectives, per example in nats."""

from tf_discrete.objectives.elbo import elbo
from tf_discrete.objectives.relaxed_elbo import relaxed_elbo

__all__ = ["elbo", "relaxed_elbo"]
