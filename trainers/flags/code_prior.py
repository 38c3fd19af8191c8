"""Flags of trainers whose models can learn a prior of their codes."""

from __future__ import annotations

import dataclasses

from .config import option


@dataclasses.dataclass(frozen=True)
class CodePriorFlags:
    """Flags of trainers whose models take a `code_prior`."""

    code_prior: str = option(
        "none",
        "Prior that codes are sampled from. 'lstm': an LSTM that is trained on the codes of each batch, "
        "without changing the model; pictures and exports sample from it, and prior_nats is its loss. "
        "'none': the prior of the model.",
        choices=("none", "lstm"),
    )
    code_prior_units: int = option(128, "Units of the LSTM of --code_prior.", lower=1)
