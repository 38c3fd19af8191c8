"""Discrete latent variables for TensorFlow and Keras 3."""

from tf_discrete._internal import environment as _environment

_environment.check_backend()

from tf_discrete import (  # noqa: E402 - the backend is checked before Keras is imported
    callbacks,
    codes,
    datasets,
    distributions,
    estimators,
    evaluation,
    explorer,
    export,
    functional,
    layers,
    likelihoods,
    losses,
    models,
    objectives,
    optimizers,
    plots,
    schedules,
    seeds,
    types,
)
from tf_discrete.functional import (  # noqa: E402
    gumbel_softmax,
    saturating_sigmoid,
    semantic_hash,
    straight_through,
)
from tf_discrete.layers import (  # noqa: E402
    GumbelSoftmax,
    LatentHead,
    SemanticHashing,
    StochasticLayer,
    StraightThrough,
)
from tf_discrete.losses import NegativeLogLikelihood  # noqa: E402
from tf_discrete.models import (  # noqa: E402
    AutoregressivePrior,
    CategoricalVAE,
    DiscreteModel,
    IndependentPrior,
    QuantizedAutoencoder,
    SemanticHashingAutoencoder,
    SemiSupervisedVAE,
    StructuredPrediction,
    VariationalStateTabulation,
)

__version__ = "0.1.0"

__all__ = [
    "AutoregressivePrior",
    "CategoricalVAE",
    "DiscreteModel",
    "GumbelSoftmax",
    "IndependentPrior",
    "LatentHead",
    "NegativeLogLikelihood",
    "QuantizedAutoencoder",
    "SemanticHashing",
    "SemanticHashingAutoencoder",
    "SemiSupervisedVAE",
    "StochasticLayer",
    "StraightThrough",
    "StructuredPrediction",
    "VariationalStateTabulation",
    "callbacks",
    "codes",
    "datasets",
    "distributions",
    "estimators",
    "evaluation",
    "explorer",
    "export",
    "functional",
    "gumbel_softmax",
    "layers",
    "likelihoods",
    "losses",
    "models",
    "objectives",
    "optimizers",
    "plots",
    "saturating_sigmoid",
    "schedules",
    "seeds",
    "semantic_hash",
    "straight_through",
    "types",
]


def __dir__() -> list[str]:
    """Lists the public names; modules in `_internal` may change at any time."""
    return __all__
