"""Flags of trainers whose models can learn a prior of their codes."""

from __future__ import annotations

import dataclasses

from .config import option


@dataclasses.dataclass(frozen=True)
class CodePriorFlags:
    """Flags of trainers whose models can be wrapped in `WithPrior`."""

    code_prior: str = option(
        "none",
        "Where samples get their codes from. 'lstm': an LSTM that learns the codes of each batch with the "
        "model, which trains as it would alone; pictures and exports sample from it, and prior_nats tells "
        "how it does. 'none': the model's own prior.",
        choices=("none", "lstm"),
    )
    code_prior_units: int = option(128, "Of the LSTM.", lower=1)
