"""Keras layers with discrete latent variables, trained by plain `compile` and `fit`."""

from tf_discrete.layers import quantizers
from tf_discrete.layers.code_embedding import CodeEmbedding
from tf_discrete.layers.gumbel_gate_lstm import GumbelGateLSTM
from tf_discrete.layers.gumbel_softmax import GumbelSoftmax
from tf_discrete.layers.latent_head import LatentHead
from tf_discrete.layers.semantic_hashing import SemanticHashing
from tf_discrete.layers.stochastic import StochasticLayer
from tf_discrete.layers.straight_through import StraightThrough

__all__ = [
    "CodeEmbedding",
    "GumbelGateLSTM",
    "GumbelSoftmax",
    "LatentHead",
    "SemanticHashing",
    "StochasticLayer",
    "StraightThrough",
    "quantizers",
]
