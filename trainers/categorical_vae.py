"""Trains a categorical VAE: python -m trainers.categorical_vae --help."""

from __future__ import annotations

import dataclasses
from typing import Any

from tf_discrete import datasets, schedules
from tf_discrete.distributions.latent_spec import CODE_VALUES
from tf_discrete.models import CategoricalVAE, WithPrior, networks
from tf_discrete.models.categorical_vae import OBJECTIVES
from trainers import command_line, data, finishing, results, sweep
from trainers import run as run_lib
from trainers.code_prior import CodePriorFlags, with_code_prior
from trainers.config import option
from trainers.latents import make_likelihood, make_mean_logits, make_temperature
from trainers.run_directory import RunDirectory
from trainers.sweep import SweepConfig

Model = CategoricalVAE | WithPrior


@dataclasses.dataclass(frozen=True)
class Config(CodePriorFlags, SweepConfig):
    """The flags of this trainer; those of the model are named as its arguments."""

    num_variables: int | tuple[int, ...] = option(
        20, "Latent variables N, one number or one for each stochastic layer.", lower=1
    )
    num_layers: int = option(
        1,
        "Stochastic layers, in both directions; may be left out where another flag has a value for each.",
        lower=1,
    )
    encoder: str = option("mlp", "Networks: 'mlp', 'conv' or a registered name.")
    hidden_units: tuple[int, ...] = option(
        (512, 256),
        "Units of the encoder's hidden layers, which the decoder mirrors, and of every map between "
        "stochastic layers; --hidden_units= for affine maps.",
    )
    prior: str = option("uniform", "Prior of the latents.", choices=("uniform", "learned"))
    objective: str = option(
        "elbo",
        "'elbo': exact discrete KL; 'relaxed_elbo': densities of the relaxation. Bounds of num_samples "
        "samples: 'importance_weighted' for hard draws, as of vimco; 'relaxed_importance_weighted' and, "
        "with less noise where there are many, 'doubly_reparameterized' for relaxed ones.",
        choices=OBJECTIVES,
    )
    prior_temperature: float | tuple[float, ...] = option(
        0.5,
        "Of the relaxed prior, one number or one for each stochastic layer; relaxed objectives.",
        positive=True,
    )
    kl_weight: float = option(1.0, "Weight of the KL.", lower=0)
    kl_warmup_steps: int = option(0, "Steps over which the KL's weight rises from 0.", lower=0)
    free_bits: float = option(
        0.0, "Nats of KL that are free for each variable; one stochastic layer.", lower=0
    )
    units: str = option(
        "zero_one",
        "What the networks read for a choice: 0 and 1, or -1 and 1.",
        choices=CODE_VALUES,
    )
    output_bias: str = option(
        "zero",
        "First bias of the decoder's last layer: 'zero', or 'mean', the logits of the mean image of the "
        "training split (Bernoulli likelihood).",
        choices=("zero", "mean"),
    )
    centering: bool = option(False, "Subtract the running mean from the pixels that q reads.")
    classify_reconstructions: bool = option(
        True,
        "At the end train a classifier on real images and report how it reads the reconstructions "
        "(data with labels only).",
    )


def build_model(config: Config, split: datasets.Split, steps_per_epoch: int) -> Model:
    """The model that a configuration describes."""
    return with_code_prior(make_autoencoder(config, split, steps_per_epoch), config)


def make_autoencoder(config: Config, split: datasets.Split, steps_per_epoch: int) -> CategoricalVAE:
    """The model without a prior that learns beside it."""
    likelihood = make_likelihood(config, split)
    model = CategoricalVAE(
        split.image_shape,
        num_variables=config.num_variables,
        num_categories=config.num_categories,
        latents=config.latents,
        num_layers=config.num_layers if config.num_layers > 1 else None,
        encoder=config.encoder,
        hidden_units=config.hidden_units,
        activation=config.activation,
        prior=config.prior,
        likelihood=likelihood,
        estimator=config.estimator,
        temperature=make_temperature(config, steps_per_epoch * config.epochs),
        num_samples=config.num_samples or None,
        objective=config.objective,
        prior_temperature=config.prior_temperature,
        kl_weight=make_kl_weight(config),
        free_bits=config.free_bits,
        units=config.units,
        centering=config.centering,
        seed=config.seed,
        monitor_every=config.monitor_every,
    )
    if config.output_bias == "mean":
        networks.set_output_bias(model.decoder, make_mean_logits(split, likelihood))
    return model


def make_kl_weight(config: Config) -> Any:
    """The weight of the KL, or its warm-up."""
    if config.kl_warmup_steps:
        return schedules.Linear(0.0, config.kl_weight, config.kl_warmup_steps)
    return config.kl_weight


def finish(
    model: Model, config: Config, directory: RunDirectory, splits: data.Splits
) -> dict[str, Any]:
    """Scores the test split, draws the pictures, writes the model and the SavedModel."""
    test = splits["test"]
    result = run_lib.evaluate_split(model, test, config.bound_samples)
    finishing.draw_pictures(model, *finishing.some_images(test), directory)
    learned, read = finishing.with_labels(splits["train"]), finishing.with_labels(test)
    if config.classify_reconstructions and learned and read:
        classifier = finishing.make_classifier(config, directory, learned)
        accuracy = finishing.classify_reconstructions(model, classifier, read)
        result["reconstruction_accuracy"] = accuracy
    results.write_model(model, config, directory)
    return {f"test/{name}": value for name, value in result.items()}


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    if config.sweep:
        result = sweep.run(config, "categorical_vae", train, finish)
    else:
        config = run_lib.with_output_dir(config, "categorical_vae")
        result = train(config, finish)
    results.print_result(config, result)
    return result


def train(config: Config, finish: run_lib.Finish) -> dict[str, Any]:
    """One run, with what is to be done at its end."""
    return run_lib.train(config, build_model, finish)


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
