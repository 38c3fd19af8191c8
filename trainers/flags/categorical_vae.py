"""Flags of trainers.categorical_vae."""

from __future__ import annotations

import dataclasses

from . import names
from .code_prior import CodePriorFlags
from .config import option
from .latents import KLFlags, LatentFlags
from .sweep import SweepConfig


@dataclasses.dataclass(frozen=True)
class CategoricalVAEFlags(KLFlags, LatentFlags):
    """Flags of the model without its estimator; each has the name of the argument that it sets."""

    num_variables: int | tuple[int, ...] = option(
        20, "Number N of latent variables; one number, or one for each stochastic layer.", lower=1
    )
    num_layers: int = option(
        1,
        "Number of stochastic layers, in encoder and decoder. May be left out if another flag has a value "
        "for each layer.",
        lower=1,
    )
    encoder: str = option(
        "mlp",
        "Encoder and decoder networks: 'mlp', 'conv', 'conv_grid' (convolutions alone; variables are a "
        "multiple of the cells of its grid) or a registered name.",
        registered=names.NETWORKS,
    )
    hidden_units: tuple[int, ...] = option(
        (512, 256),
        "Units of the encoder's hidden layers and of each map between stochastic layers; the decoder "
        "mirrors them. --hidden_units= makes all maps affine.",
    )
    prior: str = option(
        "uniform",
        "Prior of the latents: uniform, or logits that are learned.",
        choices=("uniform", "learned"),
    )
    objective: str = option(
        "elbo",
        "'elbo': exact discrete KL; 'relaxed_elbo': densities of the relaxation. Bounds of --num_samples "
        "samples: 'importance_weighted' for discrete samples, as in vimco; 'relaxed_importance_weighted' "
        "and, with less noise where there are many, 'doubly_reparameterized' for relaxed ones.",
        choices=names.OBJECTIVES,
    )
    prior_temperature: float | tuple[float, ...] = option(
        0.5,
        "Temperature of the relaxed prior; one number, or one for each stochastic layer. Used by relaxed "
        "objectives only.",
        positive=True,
    )
    free_bits: float = option(
        0.0,
        "Minimum KL of each variable in nats; a smaller KL counts as this one. One stochastic layer only.",
        lower=0,
    )
    code_values: str = option(
        "zero_one",
        "How a discrete value is encoded as network input: {0, 1} or {-1, 1}.",
        choices=names.CODE_VALUES,
    )
    code_embedding: str = option(
        "one_hot",
        "What the decoder reads of a code. 'one_hot': one-hot categories, of trees digits; 'digit_sum': the "
        "sum of a learned row for each digit; 'table': a learned row for each category.",
        choices=names.CODE_EMBEDDINGS,
    )
    embedding_width: int = option(64, "Numbers of a row of --code_embedding.", lower=1)
    digit_units: tuple[int, ...] = option(
        (64,),
        "With --latents=path, units of the hidden layers of the network of each digit, which reads the "
        "digits before.",
    )
    output_bias: str = option(
        "auto",
        "Initial bias of the decoder's last layer: 'zero'; 'mean', the mean image of the training split "
        "(Bernoulli or Gaussian likelihood); 'auto': 'mean' with a Gaussian likelihood, whose codes may "
        "collapse otherwise, and networks of this package, 'zero' otherwise.",
        choices=("auto", "zero", "mean"),
    )
    centering: bool = option(
        False, "Subtract the running mean of the pixels from the encoder's input."
    )


@dataclasses.dataclass(frozen=True)
class Config(CategoricalVAEFlags, CodePriorFlags, SweepConfig):
    """The flags of this trainer."""

    classify_reconstructions: bool = option(
        True,
        "At the end, train a classifier on real images and report its accuracy on reconstructions "
        "(labelled data only).",
    )
