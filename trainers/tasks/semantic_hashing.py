"""The semantic hashing autoencoder: images to bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_discrete import datasets, evaluation, likelihoods, plots, schedules
from tf_discrete._internal.counted import counted
from tf_discrete.models import SemanticHashingAutoencoder

from ..common import autoencoder_report, data, narration, results, task, training
from ..common import run as run_lib
from ..common.code_prior import make_code_prior
from ..common.latents import check_start, make_likelihood, start_at_mean
from ..common.run_directory import RunDirectory
from ..flags.semantic_hashing import Config


def build_model(
    config: Config, split: datasets.Split, steps_per_epoch: int
) -> SemanticHashingAutoencoder:
    """The model that a configuration describes."""
    model = SemanticHashingAutoencoder(
        data_shape=split.image_shape,
        num_bits=config.num_bits,
        noise_stddev=config.noise_stddev,
        discrete_fraction=make_fraction(config),
        flip_probability=config.flip_probability,
        encoder=config.encoder,
        hidden_units=config.hidden_units,
        activation=config.activation,
        likelihood=make_likelihood(config, split),
        code_prior=make_code_prior(config),
        seed=config.seed,
        monitor_every=config.monitor_every,
    )
    check_start(model, config)
    return model


def start(model: SemanticHashingAutoencoder, config: Config, splits: data.Splits) -> None:
    """Starts the decoder of a new run at the mean image, if the configuration says so."""
    start_at_mean(model, config, splits["train"], automatic=likelihoods.Bernoulli)


def make_fraction(config: Config) -> Any:
    """The probability that a bit is rounded, or its warm-up."""
    if config.warmup_steps:
        return schedules.Linear(0.0, config.discrete_fraction, config.warmup_steps)
    return config.discrete_fraction


def finish(
    model: SemanticHashingAutoencoder,
    config: Config,
    directory: RunDirectory,
    splits: data.Splits,
) -> dict[str, Any]:
    """Scores the test split and samples, draws the pictures, writes the model and the SavedModel."""
    test = splits["test"]
    result = run_lib.evaluate_split(model, test, config.bound_samples, splits["train"])
    autoencoder_report.draw_pictures(model, test, directory)
    images, _ = data.some_images(test)
    plots.save(plots.bit_statistics(np.asarray(model.encode(images))), directory.path / "bits.png")
    learned = autoencoder_report.with_labels(splits["train"])
    read = autoencoder_report.with_labels(test)
    if config.generation_samples and learned and read:
        classifier = autoencoder_report.make_classifier(config, directory, learned)
        result.update(autoencoder_report.classify(model, classifier, read))
        with narration.phase(f"Inception scores of {counted(config.generation_samples, 'sample')}"):
            scores = evaluation.evaluate_generation(
                model, classifier, config.generation_samples, config.seed
            )
        for name in ("inception_score", "slides_score"):
            score = getattr(scores, name)
            result.update({name: score.mean, f"{name}_spread": score.spread})
    results.write_model(model, directory)
    return {f"test/{name}": value for name, value in result.items()}


def check(config: Config) -> None:
    """Refuses too few samples for a score.

    Raises:
        ValueError: Fewer than 64 samples, but not 0.
    """
    if 0 < config.generation_samples < 64:
        raise ValueError(
            "The inception scores take at least 64 samples; 0 for no scores. "
            f"Received: generation_samples={config.generation_samples}"
        )


TASK = task.register(
    task.Task("semantic_hashing", Config, build_model, finish, check=check, start=start)
)


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    return training.run(TASK, config)
