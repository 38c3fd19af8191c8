"""`--code_prior`: an autoregressive prior of the codes that is trained with the model."""

from __future__ import annotations

from typing import Any

from tf_discrete.models import AutoregressivePrior, WithPrior


def with_code_prior(model: Any, config: Any) -> Any:
    """The model, or the model and the prior that a configuration asks for."""
    if config.code_prior == "none":
        return model
    return WithPrior(model, AutoregressivePrior.for_model(model, units=config.code_prior_units))
