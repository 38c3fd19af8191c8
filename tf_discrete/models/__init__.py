"""Models with discrete latents."""

from tf_discrete.models.base import DiscreteModel
from tf_discrete.models.categorical_vae import CategoricalVAE

__all__ = ["CategoricalVAE", "DiscreteModel"]
