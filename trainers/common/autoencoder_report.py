"""The report of a trained autoencoder: pictures, and the accuracy of a classifier on its reconstructions."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tf_discrete import datasets, evaluation, plots
from tf_discrete.datasets import labels as few_labels
from tf_discrete.models.autoencoder import DiscreteAutoencoder

from ..flags.run import RunConfig
from . import data, narration, results, standard_errors
from .run_directory import RunDirectory

MOST = 10_000
"""Images that a classifier learns from, and those that it reads."""
CLASSIFIER_STEPS = 800
"""Training steps of that classifier."""


def draw_pictures(
    model: DiscreteAutoencoder, test: datasets.Split, directory: RunDirectory
) -> None:
    """reconstructions.png, samples.png, codes.png, traversal.png and curves.png."""
    with narration.phase("Pictures"):
        images, labels = data.some_images(test)
        reconstructions = results.as_image(model.reconstruct(images))
        usage = evaluation.collect_usage(model, [images])
        named = data.class_names_of(test, labels)
        figures = {
            "reconstructions": plots.reconstructions(images, reconstructions, named),
            "samples": plots.image_grid(results.as_image(model.sample(100, seed=1))),
            "codes": plots.code_usage(usage.counts, usage.perplexity, collapsed=usage.collapsed),
            "curves": plots.curves(directory.history()),
            "traversal": traversal(model, images[:1], usage, named[0] if named else ""),
        }
        for name, figure in figures.items():
            plots.save(figure, directory.path / f"{name}.png")


def traversal(
    model: DiscreteAutoencoder, image: np.ndarray, usage: evaluation.Usage, label: str = ""
) -> Any:
    """One image with one variable, of trees digit, at a time set to each category; the most informative.

    Args:
        model: Trained.
        image: float [1, H, W, C].
        usage: Of the codes.
        label: Name of the class of the image, which the title has. Default: none.
    """
    information = usage.mutual_information
    order = np.argsort(-(information if information is not None else usage.perplexity))
    # Images are decoded from the first layer.
    count, categories = model.decoded_spec.digit_sizes
    order = order[order < count][:10]
    variables = sorted(int(index) for index in order)
    spec = model.latent_spec
    digits = np.asarray(spec.digits(model.encode(image)))[0]
    sizes = np.sum(np.asarray(model.decoded_spec.uniform().category_probs) > 0, axis=-1)
    changed = np.tile(digits, [len(variables), categories, 1])
    for row, variable in enumerate(variables):
        changed[row, :, variable] = np.minimum(np.arange(categories), sizes[variable] - 1)
    codes = spec.join_digits(changed.reshape(-1, len(digits)))
    codes = np.minimum(codes, spec.num_categories - 1)  # Some digits of a path lead to no category.
    images = results.as_image(model.decode(codes))
    images = images.reshape(len(variables), categories, *images.shape[1:])
    title = "One variable at a time through its categories" + (f", class {label}" if label else "")
    return plots.traversal(images, digits[variables], variables=variables, title=title)


def with_labels(split: datasets.Split) -> datasets.Split | None:
    """The examples of a split that have a label; None where those are not of two classes at least."""
    if split.labels is None or not split.num_classes:
        return None
    known = np.flatnonzero(np.asarray(split.labels) >= 0)
    if len(np.unique(np.asarray(split.labels)[known])) < 2:
        return None
    return split if len(known) == len(split) else few_labels.divide(split, known)[0]


def make_classifier(
    config: RunConfig, directory: RunDirectory, train: datasets.Split
) -> keras.Model:
    """A classifier of real training images, all labelled, kept in classifier.keras of the run."""
    batch = next(iter(train.batches(min(MOST, len(train)), shuffle=True)))
    with narration.phase("Classifier of real images", CLASSIFIER_STEPS, "step") as advance:
        return evaluation.cached_classifier(
            directory.path / "classifier.keras",
            batch["image"].numpy(),
            batch["label"].numpy(),
            train.num_classes or 0,
            num_steps=CLASSIFIER_STEPS,
            seed=config.seed,
            progress=advance,
        )


def classify_reconstructions(
    model: DiscreteAutoencoder, classifier: keras.Model, test: datasets.Split
) -> float:
    """How a classifier of real images reads the reconstructions of test images, all labelled."""
    images, labels = data.some_images(test, MOST)
    return evaluation.reconstruction_accuracy(
        classifier, results.as_image(model.reconstruct(images)), np.asarray(labels)
    )


def classify(
    model: DiscreteAutoencoder, classifier: keras.Model, test: datasets.Split
) -> dict[str, float]:
    """Returns the accuracy of a classifier of real images on reconstructions, and on the originals."""
    images, labels = data.some_images(test, MOST)
    with narration.phase(f"Classes of {len(images):,} reconstructions and their originals"):
        shares = {
            "reconstruction_accuracy": classify_reconstructions(model, classifier, test),
            "original_accuracy": evaluation.reconstruction_accuracy(
                classifier, images, np.asarray(labels)
            ),
        }
    errors = {
        standard_errors.error_name(name): standard_errors.share_error(share, len(images))
        for name, share in shares.items()
    }
    return {**shares, **errors}
