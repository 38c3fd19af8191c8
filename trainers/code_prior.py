"""`--code_prior`: an autoregressive prior of the codes that learns beside the model."""

from __future__ import annotations

import dataclasses
from typing import Any

from tf_discrete.models import AutoregressivePrior, WithPrior
from trainers.config import option


@dataclasses.dataclass(frozen=True)
class CodePriorFlags:
    """Flags of trainers whose models can be wrapped in `WithPrior`."""

    code_prior: str = option(
        "none",
        "Where samples get their codes from. 'lstm': an LSTM that learns the codes of each batch beside the "
        "model, which trains as it would alone; pictures and exports sample from it, and prior_nats tells "
        "how it does. 'none': the model's own prior.",
        choices=("none", "lstm"),
    )
    code_prior_units: int = option(128, "Of the LSTM.", lower=1)


def with_code_prior(model: Any, config: Any) -> Any:
    """The model, or the model and the prior that a configuration asks for."""
    if config.code_prior == "none":
        return model
    return WithPrior(model, AutoregressivePrior.for_model(model, units=config.code_prior_units))
