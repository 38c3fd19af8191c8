"""The kinds of discrete latents, their relaxations and the noise that samples them."""

# The kind that is the default everywhere is registered first.
from tf_discrete.distributions.categorical import Categorical

# isort: split
from tf_discrete.distributions.bernoulli import Bernoulli
from tf_discrete.distributions.discrete import Discrete, get, names, register
from tf_discrete.distributions.latent_spec import LatentSpec
from tf_discrete.distributions.relaxable import Relaxable, get_relaxable
from tf_discrete.distributions.relaxed import ExpRelaxedCategorical, RelaxedBernoulliLogit

__all__ = [
    "Bernoulli",
    "Categorical",
    "Discrete",
    "ExpRelaxedCategorical",
    "LatentSpec",
    "RelaxedBernoulliLogit",
    "Relaxable",
    "get",
    "get_relaxable",
    "names",
    "register",
]
