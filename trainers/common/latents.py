"""Likelihood, estimator, temperature and KL weight of a model, from its flags and data."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_discrete import datasets, distributions, estimators, likelihoods, schedules

from ..flags import quantized_autoencoder, semantic_hashing, semi_supervised
from ..flags.latents import KLFlags, LatentConfig, LatentFlags

AnnealedConfig = LatentConfig | semi_supervised.Config
"""Configurations with an estimator and its temperature."""

PixelConfig = AnnealedConfig | semantic_hashing.Config | quantized_autoencoder.Config
"""Configurations with a likelihood of the pixels."""


def make_latents(config: LatentFlags) -> str:
    """Returns the argument `latents=` of the model that a configuration asks for.

    Raises:
        ValueError: a branching of other latents than trees, or into another number of categories.
    """
    if config.latents != distributions.TreeCategorical.latents:
        if config.branching:
            raise ValueError(
                "Only trees have a branching. Set latents=tree, or leave branching out. "
                f"Received: branching={config.branching}, latents={config.latents!r}"
            )
        return config.latents
    if isinstance(config.num_categories, tuple):
        raise ValueError(
            "All stochastic layers of trees have the same categories. Give num_categories once. "
            f"Received: num_categories={config.num_categories}"
        )
    branching = config.branching or distributions.balanced_branching(config.num_categories)
    return distributions.tree_latents(branching, config.num_categories)


_FOR_THE_MEAN = 10_000
"""Images of streamed data from which the mean is estimated."""


def make_likelihood(config: PixelConfig, split: datasets.Split) -> likelihoods.Likelihood:
    """The likelihood of the pixels."""
    name = config.likelihood
    if name == "auto":
        some = split.images[:1000]
        binary = config.binarization != "none" or bool(np.isin(some, (0, some.max())).all())
        name = "bernoulli" if binary else "gaussian"
    if name == "gaussian":
        return likelihoods.Gaussian(config.likelihood_scale or None)
    return likelihoods.get(name)


def make_mean_logits(split: datasets.Split, likelihood: likelihoods.Likelihood) -> np.ndarray:
    """Logits of the mean image of a split, as it is binarised, [H, W, C]; no pixel is certain.

    Raises:
        ValueError: a likelihood whose parameters are no logits.
    """
    if not isinstance(likelihood, likelihoods.Bernoulli):
        raise ValueError(
            "Only the Bernoulli likelihood reads logits. Leave --output_bias out. "
            f"Received: output_bias='mean', likelihood={type(likelihood).__name__}"
        )
    images = split.images
    if not isinstance(images, np.ndarray):  # They stay in their files.
        images = images.sample(_FOR_THE_MEAN)
    highest = np.iinfo(images.dtype).max if images.dtype == np.uint8 else 1
    if split.binarization == "threshold":
        images, highest = images > 0.5 * highest, 1
    mean = images.mean(axis=0, dtype=np.float64) / highest
    mean = np.clip(mean, 1e-3, 1 - 1e-3)
    return np.log(mean) - np.log1p(-mean)


def make_kl_weight(config: KLFlags) -> Any:
    """The weight of the KL, or its warm-up."""
    if config.kl_warmup_steps:
        return schedules.Linear(0.0, config.kl_weight, config.kl_warmup_steps)
    return config.kl_weight


def make_temperature(config: AnnealedConfig, total_steps: int) -> Any:
    """The schedule of the temperature, or a tuple of one for each layer where these differ.

    None stands for an estimator's own default, or for one that has no temperature.
    """
    name, initial = config.estimator, config.temperature
    names = name if isinstance(name, tuple) else (name,)
    initials = initial if isinstance(initial, tuple) else (initial,)
    count = max(len(names), len(initials))
    names = names * count if len(names) == 1 else names
    initials = initials * count if len(initials) == 1 else initials
    if len(names) != len(initials):
        raise ValueError(
            "estimator and temperature must be one for all layers, or one for each. "
            f"Received: estimator={config.estimator!r}, temperature={config.temperature!r}"
        )
    found = tuple(
        _schedule(config, *layer, total_steps) for layer in zip(names, initials, strict=True)
    )
    return found if count > 1 else found[0]


def _schedule(
    config: AnnealedConfig, estimator_name: str, temperature: float, total_steps: int
) -> schedules.Schedule | None:
    """The schedule of the temperature of one estimator; None for its own default, or if it has none."""
    estimator = estimators.get_class(estimator_name)
    if "temperature" not in estimators.arguments(estimator):
        return None
    name = config.temperature_schedule
    if name == "auto":
        name = "exponential" if estimator.spec.annealed else "constant"
    if name == "constant":
        return schedules.Constant(temperature) if temperature else None
    initial, steps = temperature or 1.0, config.temperature_steps or max(1, total_steps // 2)
    if name == "linear":
        return schedules.Linear(initial, config.temperature_final, steps)
    if name == "cosine":
        return schedules.Cosine(initial, config.temperature_final, steps)
    return schedules.Exponential(
        initial,
        config.temperature_rate,
        config.temperature_final,
        config.temperature_update_period,
    )
