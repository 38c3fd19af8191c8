"""Flags of trainers.semantic_hashing."""

from __future__ import annotations

import dataclasses

from . import names
from .code_prior import CodePriorFlags
from .config import option
from .latents import PixelFlags
from .run import RunConfig


@dataclasses.dataclass(frozen=True)
class Config(CodePriorFlags, PixelFlags, RunConfig):
    """The flags of this trainer; those of the model are named as its arguments."""

    num_bits: int = option(64, "Bits N of a code.", lower=1)
    noise_stddev: float = option(
        1.0, "Standard deviation of the noise on the logits.", positive=True
    )
    discrete_fraction: float = option(
        0.5, "Probability that a bit is rounded in training.", lower=0, upper=1
    )
    warmup_steps: int = option(
        0, "Steps over which that probability rises from 0; 0: it is there at once.", lower=0
    )
    flip_probability: float = option(
        0.0, "Probability that a rounded bit is flipped in training, below 0.5.", lower=0
    )
    encoder: str = option(
        "mlp", "Networks: 'mlp', 'conv' or a registered name.", registered=names.NETWORKS
    )
    hidden_units: tuple[int, ...] = option(
        (512, 256), "Units of the encoder's hidden layers; the decoder mirrors them."
    )
    activation: str = option("relu", "Of the hidden layers.")
    likelihood: str = option(
        "bernoulli",
        "Of the pixels, see trainers.categorical_vae. 'bernoulli': binary cross-entropy, of grey "
        "pixels too.",
        registered=("auto", *names.LIKELIHOODS),
    )
    output_bias: str = option(
        "auto",
        "First bias of the decoder's last layer: 'zero'; 'mean', the logits of the mean image of the "
        "training split (Bernoulli likelihood), without which short codes can get stuck at that image; "
        "'auto': the mean with that likelihood and the named networks, zero with registered ones.",
        choices=("auto", "zero", "mean"),
    )
    bound_samples: int = option(
        100, "Samples m of the importance-weighted test bound at the end.", lower=1
    )
    generation_samples: int = option(
        6400,
        "Samples for the inception scores at the end, and a classifier that reads them and the "
        "reconstructions (data with labels only). 0: no scores; at least 64 otherwise.",
        lower=0,
    )
