"""Trains a semantic hashing autoencoder, images to bits: python -m trainers.semantic_hashing --help."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tf_discrete import datasets, evaluation, likelihoods, plots, schedules
from tf_discrete.models import SemanticHashingAutoencoder, WithPrior, networks
from trainers import command_line, data, finishing, results
from trainers import run as run_lib
from trainers.code_prior import CodePriorFlags, with_code_prior
from trainers.config import RunConfig, option
from trainers.latents import make_likelihood, make_mean_logits
from trainers.run_directory import RunDirectory

Model = SemanticHashingAutoencoder | WithPrior


@dataclasses.dataclass(frozen=True)
class Config(CodePriorFlags, RunConfig):
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
    encoder: str = option("mlp", "Networks: 'mlp', 'conv' or a registered name.")
    hidden_units: tuple[int, ...] = option(
        (512, 256), "Units of the encoder's hidden layers; the decoder mirrors them."
    )
    activation: str = option("relu", "Of the hidden layers.")
    likelihood: str = option(
        "bernoulli",
        "Of the pixels, see trainers.categorical_vae. 'bernoulli': binary cross-entropy, of grey "
        "pixels too.",
    )
    likelihood_scale: float = option(
        0.2, "Standard deviation of a pixel; Gaussian likelihood. 0: learned.", lower=0
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


def build_model(config: Config, split: datasets.Split, steps_per_epoch: int) -> Model:
    """The model that a configuration describes."""
    likelihood = make_likelihood(config, split)
    model = SemanticHashingAutoencoder(
        data_shape=split.image_shape,
        num_bits=config.num_bits,
        noise_stddev=config.noise_stddev,
        discrete_fraction=make_fraction(config),
        flip_probability=config.flip_probability,
        encoder=config.encoder,
        hidden_units=config.hidden_units,
        activation=config.activation,
        likelihood=likelihood,
        seed=config.seed,
        monitor_every=config.monitor_every,
    )
    fits = isinstance(likelihood, likelihoods.Bernoulli) and config.encoder in ("mlp", "conv")
    if config.output_bias == "mean" or (config.output_bias == "auto" and fits):
        networks.set_output_bias(model.decoder, make_mean_logits(split, likelihood))
    return with_code_prior(model, config)


def make_fraction(config: Config) -> Any:
    """The probability that a bit is rounded, or its warm-up."""
    if config.warmup_steps:
        return schedules.Linear(0.0, config.discrete_fraction, config.warmup_steps)
    return config.discrete_fraction


def finish(
    model: Model,
    config: Config,
    directory: RunDirectory,
    splits: data.Splits,
) -> dict[str, Any]:
    """Scores the test split and samples, draws the pictures, writes the model and the SavedModel."""
    test = splits["test"]
    result = run_lib.evaluate_split(model, test, config.bound_samples)
    images, labels = finishing.some_images(test)
    finishing.draw_pictures(model, images, labels, directory)
    plots.save(plots.bit_statistics(np.asarray(model.encode(images))), directory.path / "bits.png")
    learned, read = finishing.with_labels(splits["train"]), finishing.with_labels(test)
    if config.generation_samples and learned and read:
        classifier = finishing.make_classifier(config, directory, learned)
        accuracy = finishing.classify_reconstructions(model, classifier, read)
        result["reconstruction_accuracy"] = accuracy
        scores = evaluation.evaluate_generation(
            model, classifier, config.generation_samples, config.seed
        )
        for name in ("inception_score", "slides_score"):
            score = getattr(scores, name)
            result.update({name: score.mean, f"{name}_spread": score.spread})
    results.write_model(model, config, directory)
    return {f"test/{name}": value for name, value in result.items()}


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds.

    Raises:
        ValueError: too few samples for a score, or whatever else cannot work.
    """
    if 0 < config.generation_samples < 64:
        raise ValueError(
            "The inception scores take at least 64 samples; 0 for no scores. "
            f"Received: generation_samples={config.generation_samples}"
        )
    config = run_lib.with_output_dir(config, "semantic_hashing")
    result = run_lib.train(config, build_model, finish)
    results.print_result(config, result)
    return result


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
