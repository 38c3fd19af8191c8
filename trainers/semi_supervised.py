"""Trains a classifier and generator from few labels: python -m trainers.semi_supervised --help."""

from __future__ import annotations

import dataclasses
from typing import Any

from tf_discrete import datasets, estimators, evaluation, plots
from tf_discrete._internal.writing import write_json
from tf_discrete.datasets import labels as few_labels
from tf_discrete.models import (
    Augmentation,
    CategoricalVAE,
    Regularization,
    SemiSupervisedVAE,
    feature_networks,
)
from tf_discrete.plots import Panel
from trainers import categorical_vae, classification, command_line, data, results
from trainers import run as run_lib
from trainers.config import RunConfig, option, same_option
from trainers.export import load_model, read_settings
from trainers.latents import LatentConfig, make_likelihood, make_temperature
from trainers.run_directory import RunDirectory

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


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """The flags of this trainer; those of the model are named as its arguments."""

    batch_size: int = option(
        100, "Unlabelled images in a step, beside labelled_batch_size labelled ones.", lower=1
    )
    labels_per_class: int = option(
        10, "Labels of each class that are used, chosen at random. 0: all that there are.", lower=0
    )
    label_seed: int = option(0, "Of the choice of the labels.", lower=0, upper=2**32 - 1)
    labelled_batch_size: int = option(
        100, "Labelled images in a step, or all of them if there are fewer.", lower=1
    )
    estimator: str = option(
        "gumbel_softmax",
        "Estimator of the class: 'enumeration' marginalises it, the others draw it and infer class and "
        "style in one pass: " + ", ".join(estimators.names(latents="categorical")) + ".",
    )
    num_samples: int = option(
        0, "Classes drawn for each unlabelled image. 0: the fewest the estimator takes.", lower=0
    )
    style_size: int = option(32, "Gaussian variables of the style.", lower=1)
    classifier: str = option("mlp", "Network of q(y | x): 'mlp', 'conv' or a registered name.")
    style_encoder: str = option("", "Network of q(z | x, y). Default: as the classifier.")
    decoder: str = option("", "Network of p(x | y, z). Default: as the classifier.")
    hidden_units: tuple[int, ...] = option(
        (500, 500), "Units of the hidden layers; the decoder mirrors them."
    )
    filters: tuple[int, ...] = option(
        (32, 64, 128), "Of the convolutions that read an image, each halves it: of 'conv' alone."
    )
    activation: str = option("relu", "Of the hidden layers.")
    normalization: str = option(
        "batch",
        "'batch': batch norm where a row is an image, layer norm where it is an image with a class.",
        choices=("none", "batch"),
    )
    prior: str = option("uniform", "Prior of the class.", choices=("uniform", "learned"))
    alpha: float = option(
        50.0, "Weight of a labelled image's cross-entropy; its ELBO has labelled_weight.", lower=0
    )
    labelled_weight: float = option(1.0, "Weight of a labelled image's ELBO.", lower=0)
    classifier_dropout: float = option(
        0.2, "Dropout rate of the classifier.", lower=0.0, upper=0.99
    )
    input_noise: float = option(
        0.1, "Standard deviation of Gaussian noise on the classifier's images.", lower=0
    )
    augment_shift: int = option(
        0, "Pixels by which the classifier's images are moved at most.", lower=0
    )
    augment_rotation: float = option(
        0.0, "Degrees by which they are turned at most, to either side.", lower=0, upper=179
    )
    augment_zoom: float = option(
        0.0, "Share by which they are zoomed at most, in or out.", lower=0, upper=0.9
    )
    consistency: float = option(
        0.0,
        "Weight of the agreement of the classes of an image and of a distorted view of it.",
        lower=0,
    )
    balance: float = option(
        0.0, "Weight of the KL from a batch's mean class to the prior.", lower=0
    )
    features: str = option(
        "",
        "Folder of a finished run of trainers.categorical_vae, on whose code the model stands (M1+M2): its "
        "probabilities take the place of the images, which keep their shape and come back through its "
        "decoder. Default: the images themselves.",
        path=True,
    )
    monitor: str = option(
        "auto",
        "By what the best epoch is chosen: 'accuracy' or 'hard_elbo_nats', of validation. 'auto': "
        "accuracy if validation has labels.",
        choices=("auto", "accuracy", "hard_elbo_nats"),
    )
    likelihood: str = same_option(LatentConfig, "likelihood")
    likelihood_scale: float = same_option(LatentConfig, "likelihood_scale")
    temperature: float = same_option(LatentConfig, "temperature")
    temperature_schedule: str = same_option(LatentConfig, "temperature_schedule")
    temperature_final: float = same_option(LatentConfig, "temperature_final")
    temperature_rate: float = same_option(LatentConfig, "temperature_rate")
    temperature_steps: int = same_option(LatentConfig, "temperature_steps")
    temperature_update_period: int = same_option(LatentConfig, "temperature_update_period")
    kl_weight: float = same_option(categorical_vae.Config, "kl_weight")
    kl_warmup_steps: int = same_option(categorical_vae.Config, "kl_warmup_steps")


def load_splits(config: Config) -> data.Splits:
    """The splits of the data as `divide` returns them."""
    return divide(config, data.load_splits(config))


def divide(config: Config, splits: data.Splits) -> data.Splits:
    """All splits; the labels of train that are not chosen are hidden, the others are "labelled"."""
    train = splits["train"]
    for split in splits.values():
        if split.labels is not None or split is train:
            few_labels.check(split.labels, train.num_classes)
    chosen = few_labels.choose(
        train.labels, train.num_classes or 0, config.labels_per_class, config.label_seed
    )
    labelled, unlabelled = few_labels.divide(train, chosen)
    divided = {**splits, "train": unlabelled, "labelled": labelled}
    monitored(config, divided)
    return divided


def batches(config: Config, splits: data.Splits, start_epoch: int) -> Any:
    """Batches of both kinds, from the beginning of an epoch."""
    labelled = splits["labelled"]
    return few_labels.batches(
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
    chosen = few_labels.choose(
        train.labels, train.num_classes or 0, config.labels_per_class, config.label_seed
    )
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
        classification.ClassificationLog(
            splits["validation"], directory.tensorboard, config.pictures_every
        )
    ]


def monitored(config: Config, splits: data.Splits) -> str:
    """The field by which the best epoch is chosen."""
    labels = splits["validation"].labels
    has_labels = labels is not None and bool((labels >= 0).any())
    if config.monitor == "accuracy" and not has_labels:
        raise ValueError(
            "The best epoch cannot be chosen by accuracy without labels in the validation data. Set "
            "--monitor=hard_elbo_nats. Received: monitor='accuracy'"
        )
    by_accuracy = config.monitor == "accuracy" or (config.monitor == "auto" and has_labels)
    return f"validation/{'accuracy' if by_accuracy else 'hard_elbo_nats'}"


RECIPE = run_lib.Recipe(divide, batches, begin, log, monitored, FIELDS)


def build_model(config: Config, split: datasets.Split, steps_per_epoch: int) -> SemiSupervisedVAE:
    """The model that a configuration describes."""
    extractor, decoder = load_features(config, split)
    return SemiSupervisedVAE(
        data_shape=split.image_shape,
        num_classes=split.num_classes or 0,
        style_size=config.style_size,
        estimator=config.estimator,
        temperature=make_temperature(config, steps_per_epoch * config.epochs),
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
        kl_weight=categorical_vae.make_kl_weight(config),
        regularization=make_regularization(config),
        feature_extractor=extractor,
        feature_decoder=decoder,
        seed=config.seed,
        monitor_every=config.monitor_every,
    )


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
    """The networks of --features, or two times None."""
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
    scores = run_lib.evaluate_split(model, test, config.bound_samples)
    classify = classification.compiled(model)
    probs, labels = classification.read(classify, test)
    result = {f"test/{name}": value for name, value in scores.items()}
    read = classification.metrics(*classification.read(classify, splits["validation"]))
    result.update({f"validation/{name}": value for name, value in read.items()})
    result["labels"] = len(splits["labelled"])
    images = next(iter(test.batches(min(100, len(test)))))["image"].numpy()
    figures = classification.figures(model, images)
    reconstructions = results.as_image(model.reconstruct(images))
    figures["reconstructions"] = plots.reconstructions(images, reconstructions)
    figures["samples"] = plots.image_grid(results.as_image(model.sample(100, seed=1)))
    figures["curves"] = plots.curves(directory.history(), panels=PANELS)
    if len(labels):
        matrix = evaluation.confusion_matrix(probs, labels)
        figures["confusion"] = plots.confusion(matrix, title="Test images")
    for name, figure in figures.items():
        plots.save(figure, directory.path / f"{name}.png")
    results.write_model(model, config, directory)
    return result


def run(config: Config) -> dict[str, Any]:
    """Trains the model of a configuration, or continues; returns what metrics.json holds."""
    config = run_lib.with_output_dir(config, "semi_supervised")
    result = run_lib.train(config, build_model, finish, recipe=RECIPE)
    results.print_result(config, result)
    return result


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
