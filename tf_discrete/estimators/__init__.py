"""Gradient estimators for discrete latents, one file each, behind one contract and one registry."""

from tf_discrete.estimators.arm import ARM as ARM
from tf_discrete.estimators.arsm import ARSM as ARSM
from tf_discrete.estimators.backward import divide_gradient
from tf_discrete.estimators.base import Estimator, PathwiseEstimator, Spec
from tf_discrete.estimators.carms import CARMS as CARMS
from tf_discrete.estimators.daps import DAPS as DAPS
from tf_discrete.estimators.darn import DARN as DARN
from tf_discrete.estimators.decoupled_straight_through_gumbel_softmax import (
    DecoupledStraightThroughGumbelSoftmax as DecoupledStraightThroughGumbelSoftmax,
)
from tf_discrete.estimators.disarm import DisARM as DisARM
from tf_discrete.estimators.discrete_vae import DiscreteVAE as DiscreteVAE
from tf_discrete.estimators.double_cv import DoubleCV as DoubleCV
from tf_discrete.estimators.enumeration import Enumeration as Enumeration
from tf_discrete.estimators.gapped_straight_through import (
    GappedStraightThrough as GappedStraightThrough,
)
from tf_discrete.estimators.gumbel_rao import GumbelRao as GumbelRao
from tf_discrete.estimators.gumbel_softmax import GumbelSoftmax as GumbelSoftmax
from tf_discrete.estimators.gumbel_softmax import (
    StraightThroughGumbelSoftmax as StraightThroughGumbelSoftmax,
)
from tf_discrete.estimators.hard_concrete import HardConcrete as HardConcrete
from tf_discrete.estimators.muprop import MuProp as MuProp
from tf_discrete.estimators.nested import check_nested, nested_estimate
from tf_discrete.estimators.nvil import NVIL as NVIL
from tf_discrete.estimators.overlapping_exponentials import (
    OverlappingExponentials as OverlappingExponentials,
)
from tf_discrete.estimators.rebar import REBAR as REBAR
from tf_discrete.estimators.redge import ReDGE as ReDGE
from tf_discrete.estimators.reductions import log_mean_exp, mean
from tf_discrete.estimators.registry import (
    arguments,
    deserialize,
    get,
    get_class,
    names,
    register,
    serialize,
)
from tf_discrete.estimators.reinmax import ReinMax as ReinMax
from tf_discrete.estimators.reinmax_cv import ReinMaxCV as ReinMaxCV
from tf_discrete.estimators.reinmax_rao import ReinMaxRao as ReinMaxRao
from tf_discrete.estimators.relax import RELAX as RELAX
from tf_discrete.estimators.sampling import apply_to_samples
from tf_discrete.estimators.score import ScoreEstimator
from tf_discrete.estimators.score_function import ScoreFunction as ScoreFunction
from tf_discrete.estimators.semantic_hashing import SemanticHashing as SemanticHashing
from tf_discrete.estimators.slope_annealed_straight_through import (
    SlopeAnnealedStraightThrough as SlopeAnnealedStraightThrough,
)
from tf_discrete.estimators.straight_through import StraightThrough as StraightThrough
from tf_discrete.estimators.sum_and_sample import SumAndSample as SumAndSample
from tf_discrete.estimators.vimco import VIMCO as VIMCO

__all__ = [
    "Estimator",
    "PathwiseEstimator",
    "ScoreEstimator",
    "Spec",
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
__all__ += [get_class(name).__name__ for name in names()]
