"""Flags of trainers.structured_prediction."""

from __future__ import annotations

import dataclasses

from .config import option
from .sweep import SweepConfig


@dataclasses.dataclass(frozen=True)
class Config(SweepConfig):
    """Flags of this trainer; those of the model have the names of its arguments."""

    num_variables: tuple[int, ...] = option(
        (20,),
        "Number N of latent variables of a layer; one number, or one for each stochastic layer.",
    )
    num_layers: int = option(2, "Number of stochastic layers.", lower=1)
    hidden_units: tuple[int, ...] = option(
        (),
        "Units of the hidden layers of each map between stochastic layers. Default: affine maps.",
    )
    activation: str = option("tanh", "Keras activation of the hidden layers.")
    objective: str = option(
        "single_sample",
        "'single_sample': the mean of log p(y | z); 'multi_sample': the log of the mean of p(y | z) "
        "over --num_samples samples.",
        choices=("single_sample", "multi_sample"),
    )
    temperature_schedule: str = option(
        "constant",
        "Schedule of the temperature, as in trainers.categorical_vae.",
        choices=("auto", "constant", "exponential", "linear", "cosine"),
    )
    layer_temperatures: tuple[float, ...] = option(
        (), "Constant temperatures, one for each stochastic layer, in place of --temperature."
    )
    code_values: str = option(
        "zero_one",
        "How a discrete value is encoded as input of the next map: {0, 1} or {-1, 1}.",
        choices=("zero_one", "plus_minus"),
    )
    centering: bool = option(
        False, "Subtract the running mean of the pixels from the given part of the image."
    )
