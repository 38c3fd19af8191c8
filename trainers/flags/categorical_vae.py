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
    """The model without its estimator; named as its arguments."""

    num_variables: int | tuple[int, ...] = option(
        20, "Latent variables N, one number or one for each stochastic layer.", lower=1
    )
    num_layers: int = option(
        1,
        "Stochastic layers, in both directions; may be left out where another flag has a value for each.",
        lower=1,
    )
    encoder: str = option(
        "mlp", "Networks: 'mlp', 'conv' or a registered name.", registered=names.NETWORKS
    )
    hidden_units: tuple[int, ...] = option(
        (512, 256),
        "Units of the encoder's hidden layers, which the decoder mirrors, and of every map between "
        "stochastic layers; --hidden_units= for affine maps.",
    )
    prior: str = option("uniform", "Prior of the latents.", choices=("uniform", "learned"))
    objective: str = option(
        "elbo",
        "'elbo': exact discrete KL; 'relaxed_elbo': densities of the relaxation. Bounds of num_samples "
        "samples: 'importance_weighted' for discrete samples, as in vimco; 'relaxed_importance_weighted' "
        "and, with less noise where there are many, 'doubly_reparameterized' for relaxed ones.",
        choices=names.OBJECTIVES,
    )
    prior_temperature: float | tuple[float, ...] = option(
        0.5,
        "Of the relaxed prior, one number or one for each stochastic layer; relaxed objectives.",
        positive=True,
    )
    free_bits: float = option(
        0.0, "Nats of KL that are free for each variable; one stochastic layer.", lower=0
    )
    code_values: str = option(
        "zero_one",
        "How a discrete value is encoded as network input: {0, 1} or {-1, 1}.",
        choices=names.CODE_VALUES,
    )
    output_bias: str = option(
        "zero",
        "First bias of the decoder's last layer: 'zero', or 'mean', the logits of the mean image of the "
        "training split (Bernoulli likelihood).",
        choices=("zero", "mean"),
    )
    centering: bool = option(False, "Subtract the running mean from the pixels that q reads.")


@dataclasses.dataclass(frozen=True)
class Config(CategoricalVAEFlags, CodePriorFlags, SweepConfig):
    """The flags of this trainer."""

    classify_reconstructions: bool = option(
        True,
        "At the end train a classifier on real images and report how it reads the reconstructions "
        "(data with labels only).",
    )
