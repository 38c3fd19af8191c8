"""Flags of trainers.structured_prediction."""

from __future__ import annotations

import dataclasses

from .config import option
from .sweep import SweepConfig


@dataclasses.dataclass(frozen=True)
class Config(SweepConfig):
    """The flags of this trainer; those of the model are named as its arguments."""

    num_variables: tuple[int, ...] = option(
        (20,), "Latent variables N of each layer; one number for all, or one for each."
    )
    num_layers: int = option(2, "Stochastic layers.", lower=1)
    hidden_units: tuple[int, ...] = option(
        (),
        "Units of the hidden layers in each map between stochastic layers. Default: affine maps.",
    )
    activation: str = option("tanh", "Of the hidden layers.")
    objective: str = option(
        "single_sample",
        "'single_sample': the mean of log p(y | z); 'multi_sample': the log of the mean of p(y | z) "
        "over num_samples draws.",
        choices=("single_sample", "multi_sample"),
    )
    temperature_schedule: str = option(
        "constant",
        "As in trainers.categorical_vae: how the temperature moves.",
        choices=("auto", "constant", "exponential", "linear", "cosine"),
    )
    layer_temperatures: tuple[float, ...] = option(
        (), "Constant temperatures, one for each stochastic layer, in the place of temperature."
    )
    code_values: str = option(
        "zero_one",
        "How a discrete value is encoded as input of the next map: {0, 1} or {-1, 1}.",
        choices=("zero_one", "plus_minus"),
    )
    centering: bool = option(False, "Subtract the running mean from the pixels that are given.")
