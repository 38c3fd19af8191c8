"""The quantised autoencoder: images to codewords."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tf_discrete import datasets
from tf_discrete.layers import quantizers
from tf_discrete.layers.quantizers.nearest_codeword import NearestCodeword
from tf_discrete.models import QuantizedAutoencoder, convolutional_networks

from ..common import autoencoder_report, data, narration, results, task, training
from ..common import run as run_lib
from ..common.code_prior import make_code_prior
from ..common.latents import make_likelihood
from ..common.run_directory import RunDirectory
from ..flags.quantized_autoencoder import Config


def _vector(config: Config, code_size: int = 0, **options: Any) -> quantizers.VectorQuantizer:
    return quantizers.VectorQuantizer(
        config.num_categories,
        config.codebook,
        config.gradient,
        config.distance,
        code_size or None,
        seed=config.seed,
        **options,
    )


def _signs(config: Config, spherical: bool, **options: Any) -> quantizers.LookupFreeQuantizer:
    return quantizers.LookupFreeQuantizer(
        config.num_bits, config.bits_per_code or None, spherical, **options
    )


QUANTIZERS: dict[str, Callable[..., quantizers.Quantizer]] = {
    "vector": lambda config, **options: _vector(config, config.code_size, **options),
    "residual": lambda config, **options: quantizers.ResidualQuantizer(
        _vector(config),
        config.num_parts,
        dropout=config.quantizer_dropout,
        code_size=config.code_size or None,
        beam_size=config.beam_size,
        seed=config.seed,
        **options,
    ),
    "grouped": lambda config, **options: quantizers.GroupedQuantizer(
        _vector(config, config.code_size), config.num_parts, **options
    ),
    "sim_vq": lambda config, **options: quantizers.SimVQ(
        config.num_categories,
        config.gradient,
        config.distance,
        code_size=config.code_size or None,
        seed=config.seed,
        **options,
    ),
    "finite_scalar": lambda config, **options: quantizers.FiniteScalarQuantizer(
        config.levels, **options
    ),
    "lookup_free": lambda config, **options: _signs(config, spherical=False, **options),
    "spherical": lambda config, **options: _signs(config, spherical=True, **options),
}
"""Makes the quantiser of each name of a configuration."""
MOST_FOR_K_MEANS = 5000
"""Images whose vectors k-means starts codebooks at."""


def build_model(
    config: Config, split: datasets.Split, steps_per_epoch: int
) -> QuantizedAutoencoder:
    """The model that a configuration describes."""
    return QuantizedAutoencoder(
        data_shape=split.image_shape,
        quantizer=make_quantizer(config),
        latent_shape=make_latent_shape(config, split.image_shape),
        encoder=config.encoder,
        hidden_units=config.hidden_units,
        activation=config.activation,
        likelihood=make_likelihood(config, split),
        code_prior=make_code_prior(config),
        seed=config.seed,
        monitor_every=config.monitor_every,
    )


def divide(config: Config, splits: data.Splits) -> data.Splits:
    """The splits as they are.

    Raises:
        ValueError: The training images have too few vectors for k-means.
    """
    train = splits["train"]
    positions = math.prod(make_latent_shape(config, train.image_shape)[:-1])
    vectors = positions * min(len(train), MOST_FOR_K_MEANS)
    if _starts_at_k_means(config) and vectors < config.num_categories:
        raise ValueError(
            "--k_means_start needs at least as many vectors as codewords. Give more images, or fewer "
            f"categories. Received: {vectors} vectors, num_categories={config.num_categories}"
        )
    return splits


def start(model: QuantizedAutoencoder, config: Config, splits: data.Splits) -> None:
    """Starts the codebooks of a new run at the k-means of training images, if the configuration says so."""
    if _starts_at_k_means(config):
        with narration.phase("Codebooks by k-means"):
            model.adapt(data.some_images(splits["train"], MOST_FOR_K_MEANS)[0])


def _starts_at_k_means(config: Config) -> bool:
    """Whether there is a codebook that starts at k-means."""
    parts = make_quantizer(config)._flatten_layers()
    return config.k_means_start and any(isinstance(part, NearestCodeword) for part in parts)


def make_latent_shape(config: Config, image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the vectors of an image, and their size: of 'conv_grid', rows and columns of cells."""
    if config.encoder == "conv_grid":
        return (
            *convolutional_networks.grid_shape(image_shape, config.hidden_units),
            config.vector_size,
        )
    return (config.num_vectors, config.vector_size)


def make_quantizer(config: Config) -> quantizers.Quantizer:
    """The quantiser that a configuration describes."""
    return QUANTIZERS[config.quantizer](config, loss_weight=config.quantizer_loss_weight)


def finish(
    model: QuantizedAutoencoder, config: Config, directory: RunDirectory, splits: data.Splits
) -> dict[str, Any]:
    """Scores the test split, draws the pictures, writes the model and the SavedModel."""
    test = splits["test"]
    result = run_lib.evaluate_split(model, test, config.bound_samples, splits["train"])
    autoencoder_report.draw_pictures(model, test, directory)
    results.write_model(model, directory)
    return {f"test/{name}": value for name, value in result.items()}


def check(config: Config) -> None:
    """Refuses a quantiser that cannot be built, and samples that are all the same, before data are read.

    Raises:
        ValueError: Names the argument of the quantiser.
    """
    make_quantizer(config).build((None, config.vector_size))
    if config.bound_samples > 1:
        raise ValueError(
            "The code of an image is certain, so a bound of more samples is that of one. Leave "
            f"--bound_samples out. Received: bound_samples={config.bound_samples}"
        )


TASK = task.register(
    task.Task(
        "quantized_autoencoder",
        Config,
        build_model,
        finish,
        check=check,
        divide=divide,
        start=start,
    )
)


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    return training.run(TASK, config)
