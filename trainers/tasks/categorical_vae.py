"""The categorical VAE, of one or more stochastic layers."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete import datasets, distributions, layers, likelihoods
from tf_discrete.models import CategoricalVAE, networks

from ..common import autoencoder_report, data, results, task, training
from ..common import run as run_lib
from ..common.code_prior import make_code_prior
from ..common.latents import (
    check_start,
    make_estimator,
    make_kl_weight,
    make_latents,
    make_likelihood,
    make_temperature,
    start_at_mean,
)
from ..common.run_directory import RunDirectory
from ..flags.categorical_vae import Config


def build_model(config: Config, split: datasets.Split, steps_per_epoch: int) -> CategoricalVAE:
    """The model that a configuration describes."""
    latents, likelihood = (
        make_latents(config, config.num_categories),
        make_likelihood(config, split),
    )
    kl_weight = make_kl_weight(config)
    model = CategoricalVAE(
        split.image_shape,
        num_variables=config.num_variables,
        num_categories=config.num_categories,
        latents=latents,
        num_layers=config.num_layers if config.num_layers > 1 else None,
        encoder=config.encoder,
        decoder=make_decoder(config, latents, likelihood.parameters_shape(split.image_shape)),
        hidden_units=config.hidden_units,
        activation=config.activation,
        prior=config.prior,
        code_prior=make_code_prior(config),
        likelihood=likelihood,
        estimator=make_estimator(config, latents, steps_per_epoch * config.epochs, kl_weight),
        temperature=make_temperature(config, steps_per_epoch * config.epochs),
        num_samples=config.num_samples or None,
        objective=config.objective,
        prior_temperature=config.prior_temperature,
        kl_weight=kl_weight,
        free_bits=config.free_bits,
        code_values=config.code_values,
        centering=config.centering,
        digit_units=config.digit_units,
        seed=config.seed,
        monitor_every=config.monitor_every,
    )
    check_start(model, config)
    return model


def start(model: CategoricalVAE, config: Config, splits: data.Splits) -> None:
    """Starts the decoder of a new run at the mean image, if the configuration says so."""
    start_at_mean(model, config, splits["train"], automatic=likelihoods.Gaussian)


def make_decoder(config: Config, latents: str, output_shape: tuple[int, ...]) -> keras.Model | None:
    """Returns the decoder that reads embeddings of codes; None for the one that reads one-hot codes."""
    if config.code_embedding == "one_hot":
        return None
    num_variables, num_categories = (
        size[0] if isinstance(size, tuple) else size
        for size in (config.num_variables, config.num_categories)
    )
    inputs = keras.Input(distributions.LatentSpec(num_variables, num_categories, latents).shape)
    embedding = layers.CodeEmbedding(
        num_categories,
        config.embedding_width,
        latents,
        mode=config.code_embedding,
        name="embedding",
    )
    x = embedding(inputs)
    decoder = networks.decoder(
        config.encoder, x.shape[1:], output_shape, config.hidden_units, config.activation
    )
    return keras.Model(inputs, decoder(x), name="decoder")


def finish(
    model: CategoricalVAE, config: Config, directory: RunDirectory, splits: data.Splits
) -> dict[str, Any]:
    """Scores the test split, draws the pictures, writes the model and the SavedModel."""
    test = splits["test"]
    result = run_lib.evaluate_split(model, test, config.bound_samples, splits["train"])
    autoencoder_report.draw_pictures(model, test, directory)
    learned = autoencoder_report.with_labels(splits["train"])
    read = autoencoder_report.with_labels(test)
    if config.classify_reconstructions and learned and read:
        classifier = autoencoder_report.make_classifier(config, directory, learned)
        result.update(autoencoder_report.classify(model, classifier, read))
    results.write_model(model, directory)
    return {f"test/{name}": value for name, value in result.items()}


def check(config: Config) -> None:
    """Refuses a branching that does not fit, and flags that a table of codes cannot honour.

    Raises:
        ValueError: A branching of no tree or into another number of categories; with a table weight decay, an
            average of the weights, or digits of -1 and 1.
    """
    latents = make_latents(config, config.num_categories)
    if config.code_embedding != "table" or config.latents not in ("tree", "path"):
        return
    if len(distributions.get(latents).describe_codes()["branching"]) == 1:
        return  # A row for each digit is a row for each code, and dense.
    for flag, value, plain in (
        ("weight_decay", config.weight_decay, 0.0),
        ("weight_average", config.weight_average, 0.0),
        ("code_values", config.code_values, "zero_one"),
    ):
        if value != plain:
            raise ValueError(
                "A table of codes reads digits of 0 and 1, and a step updates the rows of its batch alone. "
                f"Leave --{flag} out, or set --code_embedding=digit_sum. "
                f"Received: code_embedding='table', {flag}={value!r}"
            )


TASK = task.register(
    task.Task("categorical_vae", Config, build_model, finish, check=check, start=start)
)


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    return training.run(TASK, config)
