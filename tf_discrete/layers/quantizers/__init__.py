"""Layers that replace vectors by codewords with a number: vectors and codes in, codes and vectors out."""

from tf_discrete.layers.quantizers.base import Quantized, Quantizer
from tf_discrete.layers.quantizers.finite_scalar import FiniteScalarQuantizer
from tf_discrete.layers.quantizers.grouped import GroupedQuantizer
from tf_discrete.layers.quantizers.lookup_free import LookupFreeQuantizer
from tf_discrete.layers.quantizers.residual import ResidualQuantizer
from tf_discrete.layers.quantizers.sim_vq import SimVQ
from tf_discrete.layers.quantizers.vector import VectorQuantizer

__all__ = [
    "FiniteScalarQuantizer",
    "GroupedQuantizer",
    "LookupFreeQuantizer",
    "Quantized",
    "Quantizer",
    "ResidualQuantizer",
    "SimVQ",
    "VectorQuantizer",
]
