"""Likelihood, estimator, temperature and KL weight of a model, from its flags and data."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_discrete import datasets, distributions, estimators, likelihoods, schedules
from tf_discrete.models import CategoricalVAE, SemanticHashingAutoencoder, networks

from ..flags import categorical_vae, names, quantized_autoencoder, semantic_hashing, semi_supervised
from ..flags.latents import KLFlags, LatentConfig, LatentFlags
from . import likelihood_words, references

AnnealedConfig = LatentConfig | semi_supervised.Config
"""Configurations with an estimator and its temperature."""

PixelConfig = AnnealedConfig | semantic_hashing.Config | quantized_autoencoder.Config
"""Configurations with a likelihood of the pixels."""

StartConfig = categorical_vae.Config | semantic_hashing.Config
"""Configurations with an initial bias of the decoder."""


def make_latents(
    config: LatentFlags | semi_supervised.Config, num_categories: int | tuple[int, ...]
) -> str:
    """Returns the argument `latents=` of the model that a configuration asks for.

    Args:
        config: with `latents` and `branching`.
        num_categories: of a variable, or the number of classes.

    Raises:
        ValueError: a branching of other latents than trees and paths, or into another number of categories.
    """
    kinds = {
        distributions.TreeCategorical.latents: distributions.tree_latents,
        distributions.PathCategorical.latents: distributions.path_latents,
    }
    if config.latents not in kinds:
        if config.branching:
            raise ValueError(
                "Only trees and paths have a branching. Set latents=tree, or leave branching out. "
                f"Received: branching={config.branching}, latents={config.latents!r}"
            )
        return config.latents
    if isinstance(num_categories, tuple):
        raise ValueError(
            "All stochastic layers of trees have the same categories. Give num_categories once. "
            f"Received: num_categories={num_categories}"
        )
    branching = config.branching
    if not branching and config.latents == distributions.TreeCategorical.latents:
        branching = distributions.balanced_branching(num_categories)
    return kinds[config.latents](
        branching or distributions.equal_branching(num_categories), num_categories
    )


def make_likelihood(config: PixelConfig, split: datasets.Split) -> likelihoods.Likelihood:
    """The likelihood of the pixels."""
    name = config.likelihood
    if name == "auto":
        name = "bernoulli" if likelihood_words.is_black_and_white(split) else "gaussian"
    if name == "gaussian":
        return likelihoods.Gaussian(config.likelihood_scale or None)
    return likelihoods.get(name)


def mean_outputs(mean: np.ndarray, likelihood: likelihoods.Likelihood) -> np.ndarray:
    """Returns the parameters whose mean is a mean image [H, W, C], float64 [*parameters_shape].

    Of Bernoulli pixels they are logits, and no pixel is certain. A learned log scale is 0.

    Raises:
        ValueError: a likelihood whose parameters a mean image does not tell.
    """
    if isinstance(likelihood, likelihoods.Gaussian):
        return mean if likelihood.scale else np.stack([mean, np.zeros_like(mean)], axis=-1)
    if not isinstance(likelihood, likelihoods.Bernoulli):
        raise ValueError(
            "Only the Bernoulli and the Gaussian likelihood can start at the mean image. Leave --output_bias "
            "out, or choose --likelihood=bernoulli or gaussian. Received: output_bias='mean', "
            f"likelihood={type(likelihood).__name__}"
        )
    mean = np.clip(mean, 1e-3, 1 - 1e-3)
    return np.log(mean) - np.log1p(-mean)


def check_start(model: CategoricalVAE | SemanticHashingAutoencoder, config: StartConfig) -> None:
    """Refuses output_bias='mean' where the model cannot start at the mean image, before a run is written.

    Raises:
        ValueError: a likelihood whose parameters a mean image does not tell, or a decoder without a bias.
    """
    if config.output_bias == "mean":
        start = mean_outputs(np.zeros(model.data_shape), model.likelihood)
        networks.output_bias(model.decoder, start.size)


def start_at_mean(
    model: CategoricalVAE | SemanticHashingAutoencoder,
    config: StartConfig,
    split: datasets.Split,
    automatic: type[likelihoods.Likelihood],
) -> None:
    """Starts the decoder of a new run at the mean image of a split, if the configuration says so.

    Args:
        model: Its decoder gives the parameters of its likelihood.
        config: With `output_bias` and `encoder`.
        split: Of the training.
        automatic: The likelihood with which output_bias='auto' is 'mean', for networks of this package.
    """
    fits = isinstance(model.likelihood, automatic) and config.encoder in names.NETWORKS
    if config.output_bias == "mean" or (config.output_bias == "auto" and fits):
        start = mean_outputs(references.mean_image(split), model.likelihood)
        networks.set_output_bias(model.decoder, start)


def make_kl_weight(config: KLFlags) -> Any:
    """The weight of the KL, or its warm-up."""
    if config.kl_warmup_steps:
        return schedules.Linear(0.0, config.kl_weight, config.kl_warmup_steps)
    return config.kl_weight


def make_estimator(
    config: AnnealedConfig, latents: str, total_steps: int, kl_weight: Any = None
) -> Any:
    """The estimator of a configuration, or a tuple of one for each layer: a name where no flag sets more.

    A slope grows over the whole run unless `slope_steps` says otherwise, however long the run is.

    Args:
        config: The configuration.
        latents: Kind of latents.
        total_steps: Of the run.
        kl_weight: Weight of the KL of the codes, the `entropy_weight` of `daps`. Default: None, for its own.

    Raises:
        ValueError: A weight of 0 at some step, for an estimator that reads it.
    """
    slope = schedules.Linear(1.0, config.slope_final, config.slope_steps or max(1, total_steps))
    given: dict[str, Any] = {
        "slope": slope,
        "learning_rate_factor": config.baseline_learning_rate_factor,
    }
    if kl_weight is not None:
        given["entropy_weight"] = kl_weight

    cls = distributions.get(latents)
    kind = latents if cls.factorized else cls.formulas()

    def make(name: str) -> str | estimators.Estimator:
        taken = estimators.arguments(estimators.get_class(name))
        own = {key: value for key, value in given.items() if key in taken}
        if "entropy_weight" in own and _lowest(kl_weight) <= 0:
            raise ValueError(
                f"{name} takes the weight of the KL as its entropy_weight, which must be positive at every "
                "step. Set --kl_weight above 0 and leave --kl_warmup_steps out, or choose another estimator. "
                f"Received: lowest weight of the KL={_lowest(kl_weight)}"
            )
        return estimators.get(name, latents=kind, **own) if own else name

    if isinstance(config.estimator, tuple):
        return tuple(make(name) for name in config.estimator)
    return make(config.estimator)


def _lowest(weight: Any) -> float:
    """The lowest value of a number or a schedule."""
    return weight.lowest() if isinstance(weight, schedules.Schedule) else weight


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
