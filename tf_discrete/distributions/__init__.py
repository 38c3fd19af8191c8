"""Discrete distributions, their relaxations and the noise that draws them."""

from tf_discrete.distributions.discrete import Bernoulli, Categorical
from tf_discrete.distributions.relaxed import ExpRelaxedCategorical, RelaxedBernoulliLogit

__all__ = ["Bernoulli", "Categorical", "ExpRelaxedCategorical", "RelaxedBernoulliLogit"]
