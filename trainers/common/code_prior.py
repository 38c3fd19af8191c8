"""`--code_prior`: a prior of the codes that is trained with the model."""

from __future__ import annotations

import functools

from tf_discrete.models import AutoregressivePrior
from tf_discrete.types import PriorLike

from ..flags.code_prior import CodePriorFlags


def make_code_prior(config: CodePriorFlags) -> PriorLike | None:
    """Returns the argument `code_prior=` of the model that a configuration asks for."""
    if config.code_prior == "none":
        return None
    return functools.partial(AutoregressivePrior, units=config.code_prior_units)
