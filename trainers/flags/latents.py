"""Flags of models with discrete latents: the latents, their estimator, the pixels."""

from __future__ import annotations

import dataclasses

from . import names
from .config import option
from .run import RunConfig


@dataclasses.dataclass(frozen=True)
class PixelFlags:
    """The likelihood of the pixels."""

    likelihood: str = option(
        "auto",
        "Of the pixels. 'auto': bernoulli for black and white images (binarised, or as they come), "
        "gaussian for grey and colour. Others: "
        + ", ".join(names.LIKELIHOODS)
        + ", or a registered one of yours.",
        registered=("auto", *names.LIKELIHOODS),
    )
    likelihood_scale: float = option(
        0.2, "Standard deviation of a pixel; Gaussian likelihood. 0: learned.", lower=0
    )


@dataclasses.dataclass(frozen=True)
class AnnealingFlags:
    """How the temperature moves."""

    temperature_schedule: str = option(
        "auto",
        "'exponential': max(temperature_final, temperature * exp(-temperature_rate * step)); 'linear' "
        "and 'cosine' reach temperature_final after temperature_steps; 'auto': exponential for "
        "gumbel_softmax and its straight-through kin, constant for the other estimators.",
        choices=("auto", "constant", "exponential", "linear", "cosine"),
    )
    temperature_final: float = option(0.5, "Lowest temperature of a schedule.", positive=True)
    temperature_rate: float = option(1e-4, "Rate of the exponential schedule, per step.", lower=0)
    temperature_steps: int = option(
        0, "Length of the linear and cosine schedules in steps. 0: half of the run.", lower=0
    )
    temperature_update_period: int = option(
        500, "Steps between two changes of the exponential schedule.", lower=1
    )


@dataclasses.dataclass(frozen=True)
class LatentFlags(AnnealingFlags, PixelFlags):
    """The latents; named as the arguments of the models that they fill."""

    num_categories: int | tuple[int, ...] = option(
        10,
        "Categories K of each; 2 with Bernoulli latents. One number, or one for each stochastic layer.",
        lower=2,
    )
    latents: str = option(
        "categorical",
        "Kind of latents: " + ", ".join(names.LATENTS) + ", or a registered one of yours.",
        registered=names.LATENTS,
    )
    activation: str = option("relu", "Of the hidden layers.")
    num_samples: int = option(
        0, "Latent samples for each image in training. 0: the fewest the estimator takes.", lower=0
    )
    temperature: float | tuple[float, ...] = option(
        0.0,
        "Temperature, or its value at the first step, of estimators that have one; one, or one for each "
        "stochastic layer. 0: the estimator's own default, or 1 where a schedule changes it.",
        lower=0,
    )


@dataclasses.dataclass(frozen=True)
class EstimatorFlags:
    """The gradient estimator."""

    estimator: str | tuple[str, ...] = option(
        "gumbel_softmax",
        "Gradient estimator, one or one for each stochastic layer: "
        + ", ".join(names.ESTIMATORS)
        + ", or a registered one of yours.",
        registered=names.ESTIMATORS,
    )


@dataclasses.dataclass(frozen=True)
class KLFlags:
    """The weight of the KL."""

    kl_weight: float = option(1.0, "Weight of the KL.", lower=0)
    kl_warmup_steps: int = option(0, "Steps over which the KL's weight rises from 0.", lower=0)


@dataclasses.dataclass(frozen=True)
class LatentConfig(EstimatorFlags, LatentFlags, RunConfig):
    """What every task with discrete latents asks."""
