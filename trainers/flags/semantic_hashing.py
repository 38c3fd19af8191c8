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
    """Flags of this trainer; those of the model have the names of its arguments."""

    num_bits: int = option(64, "Number N of bits of a code.", lower=1)
    noise_stddev: float = option(
        1.0, "Standard deviation of the Gaussian noise on the logits in training.", positive=True
    )
    discrete_fraction: float = option(
        0.5, "Probability that a bit is rounded in training.", lower=0, upper=1
    )
    warmup_steps: int = option(
        0, "Training steps over which --discrete_fraction rises from 0. 0: no warm-up.", lower=0
    )
    flip_probability: float = option(
        0.0, "Probability that a rounded bit is flipped in training, below 0.5.", lower=0
    )
    encoder: str = option(
        "mlp",
        "Encoder and decoder networks: 'mlp', 'conv', 'conv_grid' (convolutions alone; variables are a "
        "multiple of the cells of its grid) or a registered name.",
        registered=names.NETWORKS,
    )
    hidden_units: tuple[int, ...] = option(
        (512, 256), "Units of the encoder's hidden layers; the decoder mirrors them."
    )
    activation: str = option("relu", "Keras activation of the hidden layers.")
    likelihood: str = option(
        "bernoulli",
        "Distribution of the pixels, see trainers.categorical_vae. 'bernoulli': binary cross-entropy, "
        "for grey pixels too.",
        registered=("auto", *names.LIKELIHOODS),
    )
    output_bias: str = option(
        "auto",
        "Initial bias of the decoder's last layer: 'zero'; 'mean', the mean image of the training split "
        "(Bernoulli or Gaussian likelihood), without which short codes can get stuck at that image; "
        "'auto': 'mean' with a Bernoulli likelihood and networks of this package, 'zero' otherwise.",
        choices=("auto", "zero", "mean"),
    )
    generation_samples: int = option(
        6400,
        "Number of samples for the inception scores at the end; the accuracy of the same classifier on "
        "reconstructions is reported too (labelled data only). 0: no scores; at least 64 otherwise.",
        lower=0,
    )
