"""Gradient estimators for discrete latents, one file each, behind one contract and one registry."""

from tf_discrete.estimators.arm import ARM
from tf_discrete.estimators.arsm import ARSM
from tf_discrete.estimators.backward import divide_gradient
from tf_discrete.estimators.base import (
    Estimator,
    PathwiseEstimator,
    Spec,
    log_mean_exp,
    mean,
)
from tf_discrete.estimators.darn import DARN
from tf_discrete.estimators.decoupled_straight_through_gumbel_softmax import (
    DecoupledStraightThroughGumbelSoftmax,
)
from tf_discrete.estimators.disarm import DisARM
from tf_discrete.estimators.enumeration import Enumeration
from tf_discrete.estimators.gapped_straight_through import GappedStraightThrough
from tf_discrete.estimators.gumbel_rao import GumbelRao
from tf_discrete.estimators.gumbel_softmax import GumbelSoftmax, StraightThroughGumbelSoftmax
from tf_discrete.estimators.muprop import MuProp
from tf_discrete.estimators.nested import check_nested, nested_estimate
from tf_discrete.estimators.nvil import NVIL
from tf_discrete.estimators.rebar import REBAR
from tf_discrete.estimators.registry import (
    arguments,
    deserialize,
    get,
    get_class,
    names,
    register,
    serialize,
)
from tf_discrete.estimators.reinmax import ReinMax
from tf_discrete.estimators.relax import RELAX
from tf_discrete.estimators.sampling import apply_to_samples
from tf_discrete.estimators.score import ScoreEstimator
from tf_discrete.estimators.score_function import ScoreFunction
from tf_discrete.estimators.semantic_hashing import SemanticHashing
from tf_discrete.estimators.slope_annealed_straight_through import SlopeAnnealedStraightThrough
from tf_discrete.estimators.straight_through import StraightThrough
from tf_discrete.estimators.sum_and_sample import SumAndSample
from tf_discrete.estimators.vimco import VIMCO

__all__ = [
    "ARM",
    "ARSM",
    "DARN",
    "DecoupledStraightThroughGumbelSoftmax",
    "DisARM",
    "Enumeration",
    "Estimator",
    "GappedStraightThrough",
    "GumbelRao",
    "GumbelSoftmax",
    "MuProp",
    "NVIL",
    "PathwiseEstimator",
    "REBAR",
    "ReinMax",
    "RELAX",
    "ScoreEstimator",
    "ScoreFunction",
    "SemanticHashing",
    "SlopeAnnealedStraightThrough",
    "Spec",
    "StraightThrough",
    "StraightThroughGumbelSoftmax",
    "SumAndSample",
    "VIMCO",
    "apply_to_samples",
    "arguments",
    "check_nested",
    "deserialize",
    "divide_gradient",
    "get",
    "get_class",
    "log_mean_exp",
    "mean",
    "names",
    "nested_estimate",
    "register",
    "serialize",
]
