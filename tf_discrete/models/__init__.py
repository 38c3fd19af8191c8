"""Models with discrete latents."""

from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.models.augmentation import Augmentation
from tf_discrete.models.autoregressive_prior import AutoregressivePrior
from tf_discrete.models.autoregressive_tree import AutoregressiveTree
from tf_discrete.models.base import DiscreteModel
from tf_discrete.models.categorical_vae import CategoricalVAE
from tf_discrete.models.conditional_networks import ConditionalNetwork
from tf_discrete.models.feature_networks import feature_networks
from tf_discrete.models.quantized_autoencoder import QuantizedAutoencoder
from tf_discrete.models.regularization import Regularization
from tf_discrete.models.semantic_hashing import SemanticHashingAutoencoder
from tf_discrete.models.semi_supervised import SemiSupervisedVAE
from tf_discrete.models.structured_prediction import StructuredPrediction
from tf_discrete.models.variational_state_tabulation import VariationalStateTabulation

__all__ = [
    "Augmentation",
    "AutoregressivePrior",
    "AutoregressiveTree",
    "CategoricalVAE",
    "ConditionalNetwork",
    "DiscreteModel",
    "IndependentPrior",
    "QuantizedAutoencoder",
    "Regularization",
    "SemanticHashingAutoencoder",
    "SemiSupervisedVAE",
    "StructuredPrediction",
    "VariationalStateTabulation",
    "feature_networks",
]
