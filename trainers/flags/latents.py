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
        "Distribution of the pixels. 'auto': bernoulli for black and white images (binarised or "
        "original), gaussian for grey and colour images. Names: "
        + ", ".join(names.LIKELIHOODS)
        + ", or a registered one of yours.",
        registered=("auto", *names.LIKELIHOODS),
    )
    likelihood_scale: float = option(
        0.2, "Standard deviation of a pixel, for the Gaussian likelihood. 0: learned.", lower=0
    )


@dataclasses.dataclass(frozen=True)
class AnnealingFlags:
    """The schedules of the temperature and of the slope."""

    temperature_schedule: str = option(
        "auto",
        "'exponential': max(temperature_final, temperature * exp(-temperature_rate * step)); 'linear' "
        "and 'cosine' reach temperature_final after temperature_steps; 'auto': exponential for "
        "gumbel_softmax and its straight-through variants, constant for other estimators.",
        choices=("auto", "constant", "exponential", "linear", "cosine"),
    )
    temperature_final: float = option(0.5, "Lowest temperature of a schedule.", positive=True)
    temperature_rate: float = option(1e-4, "Rate of the exponential schedule, per step.", lower=0)
    temperature_steps: int = option(
        0, "Length of the linear and cosine schedules in steps. 0: half of the run.", lower=0
    )
    temperature_update_period: int = option(
        500, "Training steps between two updates of the exponential schedule.", lower=1
    )
    slope_final: float = option(
        5.0,
        "Last slope of slope_annealed_straight_through, which it reaches from 1 on a straight line.",
        positive=True,
    )
    slope_steps: int = option(
        0, "Training steps after which it is reached. 0: those of the whole run.", lower=0
    )


@dataclasses.dataclass(frozen=True)
class BaselineFlags:
    """The learned baseline of an estimator."""

    baseline_learning_rate_factor: float = option(
        1.0,
        "How many times faster than the model the learned baseline of nvil learns.",
        lower=1e-6,
        upper=1e6,
    )


@dataclasses.dataclass(frozen=True)
class LatentFlags(AnnealingFlags, BaselineFlags, PixelFlags):
    """Flags of the latents; each has the name of the argument that it sets."""

    num_categories: int | tuple[int, ...] = option(
        10,
        "Number K of categories of each variable; 2 with Bernoulli latents. One number, or one for each "
        "stochastic layer.",
        lower=2,
    )
    latents: str = option(
        "categorical",
        "Kind of latents: " + ", ".join(names.LATENTS) + ", or a registered one of yours.",
        registered=names.LATENTS,
    )
    branching: tuple[int, ...] = option(
        (),
        "With --latents=tree, the children of a node at each depth, whose product is --num_categories; with "
        "--latents=path the product is at least that. Empty: as few depths of at most 64 children as "
        "possible.",
        lower=2,
    )
    activation: str = option("relu", "Keras activation of the hidden layers.")
    num_samples: int = option(
        0, "Latent samples per image in training. 0: the fewest that the estimator takes.", lower=0
    )
    temperature: float | tuple[float, ...] = option(
        0.0,
        "Temperature of the estimator, or its initial value under a schedule; one number, or one for each "
        "stochastic layer. 0: the default of the estimator, or 1 under a schedule.",
        lower=0,
    )


@dataclasses.dataclass(frozen=True)
class EstimatorFlags:
    """The gradient estimator."""

    estimator: str | tuple[str, ...] = option(
        "gumbel_softmax",
        "Gradient estimator; one name, or one for each stochastic layer: "
        + ", ".join(names.ESTIMATORS)
        + ", or a registered one of yours.",
        registered=names.ESTIMATORS,
    )


@dataclasses.dataclass(frozen=True)
class KLFlags:
    """The weight of the KL."""

    kl_weight: float = option(1.0, "Weight of the KL in the objective.", lower=0)
    kl_warmup_steps: int = option(
        0, "Training steps over which the weight of the KL rises from 0. 0: no warm-up.", lower=0
    )


@dataclasses.dataclass(frozen=True)
class LatentConfig(EstimatorFlags, LatentFlags, RunConfig):
    """Flags of every task with discrete latents."""
