"""The classifier and generator that learns from few labels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tf_discrete import datasets, estimators, evaluation, plots
from tf_discrete._internal.writing import write_json
from tf_discrete.datasets import labels as few_labels
from tf_discrete.datasets.guide import GUIDE
from tf_discrete.models import (
    Augmentation,
    CategoricalVAE,
    Regularization,
    SemiSupervisedVAE,
    feature_networks,
)
from tf_discrete.plots import Panel

from ..common import (
    class_orders,
    classification,
    data,
    narration,
    references,
    results,
    task,
    training,
)
from ..common import run as run_lib
from ..common.finished_run import load_model, read_settings
from ..common.latents import (
    make_estimator,
    make_kl_weight,
    make_latents,
    make_likelihood,
    make_temperature,
)
from ..common.run_directory import RunDirectory
from ..flags.semi_supervised import Config

TEMPERATURE = 0.5
"""Default temperature of estimators that other trainers anneal, see docs/semi_supervised.md."""

FIELDS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_accuracy": "val_accuracy",
    "hard_elbo_nats": "hard_elbo",
    "val_hard_elbo_nats": "val_elbo",
    "temperature": "T",
}

PANELS = (
    *plots.PANELS,
    Panel(
        "Bound of both kinds of rows",
        "nats per example",
        {"elbo_labelled_nats": "labelled", "elbo_unlabelled_nats": "unlabelled"},
    ),
    Panel("Classification (lower is better)", "nats per example", {"classification_nats": ""}),
    Panel("Calibration error", "share", {"calibration_error": ""}),
    Panel("Entropy of the class", "nats per example", {"class_entropy_nats": ""}),
    Panel("KL of the style", "nats per example", {"style_kl_nats": ""}),
)


def load_splits(config: Config) -> data.Splits:
    """The splits of the data as `divide` returns them."""
    return divide(config, data.load_splits(config))


def divide(config: Config, splits: data.Splits) -> data.Splits:
    """All splits; the labels of train that are not chosen are hidden, the others are "labelled"."""
    train = splits["train"]
    for split in splits.values():
        if split.labels is not None or split is train:
            few_labels.check(split.labels, train.num_classes)
    chosen = choose(config, train)
    labelled, unlabelled = few_labels.divide(train, chosen)
    divided = {**splits, "train": unlabelled, "labelled": labelled}
    monitored(config, divided)
    return divided


def choose(config: Config, train: datasets.Split) -> np.ndarray:
    """Which training images lend their label."""
    labels = few_labels.check(train.labels, train.num_classes)
    return few_labels.choose(
        labels, train.num_classes or 0, config.labels_per_class, config.label_seed
    )


def batches(config: Config, splits: data.Splits, start_epoch: int) -> datasets.IndexedBatches:
    """Batches of both kinds, from the beginning of an epoch."""
    labelled = splits["labelled"]
    return few_labels.indexed_batches(
        labelled,
        splits["train"],
        min(config.labelled_batch_size, len(labelled)),
        config.batch_size,
        seed=config.seed,
        start_epoch=start_epoch,
    )


def begin(config: Config, directory: RunDirectory, splits: data.Splits) -> None:
    """Writes labels.json: which training images, in the order of the split, lend their label."""
    train = data.load_split(config, "train")
    chosen = choose(config, train)
    labels = splits["labelled"].labels
    write_json(
        directory.path / "labels.json",
        {
            "seed": config.label_seed,
            "index": chosen.tolist(),
            "label": [] if labels is None else labels.tolist(),
        },
    )


def log(config: Config, directory: RunDirectory, splits: data.Splits) -> list[Any]:
    """The callbacks of this trainer."""
    return [
        *class_orders.make_callbacks(config, splits["labelled"]),
        classification.ClassificationLog(
            splits["validation"], directory.tensorboard, config.pictures_every
        ),
    ]


def monitored(config: Config, splits: data.Splits) -> str:
    """The field by which the best epoch is chosen."""
    labels = splits["validation"].labels
    has_labels = labels is not None and bool((labels >= 0).any())
    if config.monitor == "accuracy" and not has_labels:
        raise ValueError(
            "The best epoch cannot be chosen by accuracy without labels in the validation data. Set "
            f"--monitor=hard_elbo_nats. See {GUIDE}. Received: monitor='accuracy'"
        )
    by_accuracy = config.monitor == "accuracy" or (config.monitor == "auto" and has_labels)
    return f"validation/{'accuracy' if by_accuracy else 'hard_elbo_nats'}"


def build_model(config: Config, split: datasets.Split, steps_per_epoch: int) -> SemiSupervisedVAE:
    """The model that a configuration describes."""
    extractor, decoder = load_features(config, split)
    latents = make_latents(config, split.num_classes or 0)
    return SemiSupervisedVAE(
        data_shape=split.image_shape,
        num_classes=split.num_classes or 0,
        style_size=config.style_size,
        latents=latents,
        class_order=class_orders.initial(config, split.num_classes or 0),
        estimator=make_estimator(config, latents, steps_per_epoch * config.epochs),
        temperature=make_temperature(with_temperature(config), steps_per_epoch * config.epochs),
        num_samples=config.num_samples or None,
        classifier=config.classifier,
        style_encoder=config.style_encoder or None,
        decoder=config.decoder or None,
        hidden_units=config.hidden_units,
        filters=config.filters,
        activation=config.activation,
        normalization=config.normalization,
        prior=config.prior,
        likelihood="bernoulli"
        if config.features and config.likelihood == "auto"
        else make_likelihood(config, split),
        alpha=config.alpha,
        labelled_weight=config.labelled_weight,
        kl_weight=make_kl_weight(config),
        regularization=make_regularization(config),
        feature_extractor=extractor,
        feature_decoder=decoder,
        seed=config.seed,
        monitor_every=config.monitor_every,
    )


def with_temperature(config: Config) -> Config:
    """The configuration with the temperature that few labels do best with, where it names none."""
    annealed = estimators.get_class(config.estimator).spec.annealed
    if config.temperature or config.temperature_schedule != "constant" or not annealed:
        return config
    return dataclasses.replace(config, temperature=TEMPERATURE)


def make_regularization(config: Config) -> Regularization:
    """The regularization of the classifier that a configuration describes."""
    augmentation = Augmentation(
        shift=config.augment_shift,
        rotation=config.augment_rotation,
        zoom=config.augment_zoom,
        noise_stddev=config.input_noise,
    )
    return Regularization(
        dropout=config.classifier_dropout,
        augmentation=augmentation,
        consistency=config.consistency,
        balance=config.balance,
    )


def load_features(config: Config, split: datasets.Split) -> tuple[Any, Any]:
    """Returns the feature extractor and decoder for --features, or (None, None)."""
    if not config.features:
        return None, None
    directory = RunDirectory(config.features)
    settings = read_settings(directory, "features")
    policy = settings.get("dtype_policy", "float32")
    model: Any = load_model(directory, policy, "features")
    if not isinstance(model, CategoricalVAE) or model.data_shape != split.image_shape:
        raise ValueError(
            "--features must name a run of trainers.categorical_vae with one layer, without centering and "
            "with units of 0 and 1, on images of the same shape. Received: "
            f"features={config.features!r}, a {type(model).__name__} of {model.data_shape}, and images of "
            f"{split.image_shape}"
        )
    return feature_networks(model)


def finish(
    model: SemiSupervisedVAE, config: Config, directory: RunDirectory, splits: data.Splits
) -> dict[str, Any]:
    """Scores validation and test, draws the pictures, writes the model and the SavedModel."""
    test = splits["test"]
    scores = run_lib.evaluate_split(model, test, config.bound_samples, splits["train"])
    classify = classification.compiled(model)
    result = {f"test/{name}": value for name, value in scores.items()}
    with narration.phase("Classes of test and validation images"):
        probs, labels = classification.read(classify, test)
        read = classification.with_errors(*classification.read(classify, splits["validation"]))
    result.update({f"validation/{name}": value for name, value in read.items()})
    result["labels"] = len(splits["labelled"])
    with narration.phase("Linear classifier of the same labels"):
        result.update(references.linear_accuracy(splits["labelled"], test))
    with narration.phase("Pictures"):
        images, true = data.some_images(test, 100)
        named = data.class_names_of(test, true)
        figures = classification.figures(model, images, test.class_names, named)
        reconstructions = results.as_image(model.reconstruct(images))
        figures["reconstructions"] = plots.reconstructions(images, reconstructions, named)
        figures["samples"] = plots.image_grid(results.as_image(model.sample(100, seed=1)))
        figures["curves"] = plots.curves(directory.history(), panels=PANELS)
        if len(labels):
            matrix = evaluation.confusion_matrix(probs, labels)
            figures["confusion"] = plots.confusion(
                matrix, names=test.class_names, title="Test images"
            )
        for name, figure in figures.items():
            plots.save(figure, directory.path / f"{name}.png")
    if len(labels) and test.class_names:
        narration.say("Classes", classification.accuracy_by_class(probs, labels, test.class_names))
    results.write_model(model, directory)
    return result


TASK = task.register(
    task.Task(
        "semi_supervised",
        Config,
        build_model,
        finish,
        check=class_orders.check,
        divide=divide,
        batches=batches,
        begin=begin,
        callbacks=log,
        monitored=monitored,
        fields=FIELDS,
    )
)


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    return training.run(TASK, config)
