"""The model of one half of an image given the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_discrete import datasets, evaluation, plots
from tf_discrete.models import StructuredPrediction

from ..common import data, narration, results, task, training
from ..common import run as run_lib
from ..common.latents import make_estimator, make_latents, make_likelihood, make_temperature
from ..common.run_directory import RunDirectory
from ..flags.structured_prediction import Config


def build_model(
    config: Config, split: datasets.Split, steps_per_epoch: int
) -> StructuredPrediction:
    """The model that a configuration describes."""
    return StructuredPrediction(
        data_shape=split.image_shape,
        num_variables=config.num_variables
        if len(config.num_variables) > 1
        else config.num_variables[0],
        num_categories=config.num_categories,
        latents=make_latents(config, config.num_categories),
        num_layers=config.num_layers,
        hidden_units=config.hidden_units,
        activation=config.activation,
        likelihood=make_likelihood(config, split),
        estimator=make_estimator(
            config, make_latents(config, config.num_categories), steps_per_epoch * config.epochs
        ),
        temperature=config.layer_temperatures
        or make_temperature(config, steps_per_epoch * config.epochs),
        num_samples=config.num_samples or None,
        objective=config.objective,
        code_values=config.code_values,
        centering=config.centering,
        seed=config.seed,
        monitor_every=config.monitor_every,
    )


def finish(
    model: StructuredPrediction, config: Config, directory: RunDirectory, splits: data.Splits
) -> dict[str, Any]:
    """Scores the test split, draws the pictures, writes the model and the SavedModel."""
    test = splits["test"]
    result = run_lib.evaluate_split(model, test, config.bound_samples)
    images, labels = data.some_images(test)
    with narration.phase("Pictures"):
        usage = evaluation.collect_usage(model, [images])
        figures = {
            **completion_pictures(model, images, data.class_names_of(test, labels)),
            "codes": plots.code_usage(usage.counts, usage.perplexity, collapsed=usage.collapsed),
            "curves": plots.curves(directory.history()),
        }
        for name, figure in figures.items():
            plots.save(figure, directory.path / f"{name}.png")
    results.write_model(model, directory)
    return {f"test/{name}": value for name, value in result.items()}


def completion_pictures(
    model: StructuredPrediction, images: np.ndarray, labels: Sequence[str] | None = None
) -> dict[str, Any]:
    """Draws the inputs, some completions, the mean of many, and the truth, for the first images."""
    shown, labels = images[:10], None if labels is None else labels[:10]
    blank = np.full([len(shown), model.parts.num_outputs], 0.5, np.float32)
    figure = plots.completions(
        results.as_image(model.parts.join(shown, blank)),
        results.as_image(model.sample(shown, 6, seed=1)),
        results.as_image(model.complete(shown, 100, seed=2)),
        shown,
        labels,
    )
    return {"completions": figure}


TASK = task.register(
    task.Task("structured_prediction", Config, build_model, finish, pictures=completion_pictures)
)


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    return training.run(TASK, config)
