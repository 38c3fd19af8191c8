"""The kinds of discrete latents, their relaxations and the noise that samples them."""

from typing import TYPE_CHECKING, Any

# The kind that is the default everywhere is registered first.
from tf_discrete.distributions.categorical import Categorical

# isort: split
from tf_discrete.distributions.bernoulli import Bernoulli
from tf_discrete.distributions.cluster_order import cluster_order
from tf_discrete.distributions.discrete import Discrete
from tf_discrete.distributions.kinds import get, names, register
from tf_discrete.distributions.latent_spec import LatentSpec
from tf_discrete.distributions.learned_order import learned_order
from tf_discrete.distributions.mixed_radix import balanced_branching, equal_branching
from tf_discrete.distributions.path_categorical import PathCategorical, path_latents
from tf_discrete.distributions.relaxable import Relaxable, get_relaxable
from tf_discrete.distributions.tree_categorical import TreeCategorical, digit_mask, tree_latents
from tf_discrete.distributions.unimix import unimix

if TYPE_CHECKING:
    from tf_discrete.distributions.relaxed import ExpRelaxedCategorical, RelaxedBernoulliLogit

__all__ = [
    "Bernoulli",
    "Categorical",
    "Discrete",
    "ExpRelaxedCategorical",
    "LatentSpec",
    "PathCategorical",
    "RelaxedBernoulliLogit",
    "Relaxable",
    "TreeCategorical",
    "balanced_branching",
    "cluster_order",
    "digit_mask",
    "equal_branching",
    "get",
    "get_relaxable",
    "learned_order",
    "names",
    "path_latents",
    "register",
    "tree_latents",
    "unimix",
]


_OF_TFP = ("ExpRelaxedCategorical", "RelaxedBernoulliLogit")


def __getattr__(name: str) -> Any:
    """Loads the classes of TFP, which takes as long as the rest of the package, when they are asked for."""
    if name in _OF_TFP:
        from tf_discrete.distributions import relaxed

        return getattr(relaxed, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
