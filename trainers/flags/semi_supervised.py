"""Flags of trainers.semi_supervised."""

from __future__ import annotations

import dataclasses

from . import names
from .config import option, same_option
from .latents import AnnealingFlags, KLFlags, LatentFlags, PixelFlags
from .run import RunConfig


@dataclasses.dataclass(frozen=True)
class Config(KLFlags, AnnealingFlags, PixelFlags, RunConfig):
    """The flags of this trainer; those of the model are named as its arguments."""

    batch_size: int = option(
        100,
        "Unlabelled images in a step, in addition to labelled_batch_size labelled ones.",
        lower=1,
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
        "style in one pass: " + ", ".join(names.CATEGORICAL_ESTIMATORS) + ".",
        registered=names.CATEGORICAL_ESTIMATORS,
    )
    num_samples: int = option(
        0, "Classes drawn for each unlabelled image. 0: the fewest the estimator takes.", lower=0
    )
    style_size: int = option(32, "Gaussian variables of the style.", lower=1)
    classifier: str = option(
        "mlp", "Network of q(y | x): 'mlp', 'conv' or a registered name.", registered=names.NETWORKS
    )
    style_encoder: str = option(
        "", "Network of q(z | x, y). Default: as the classifier.", registered=("", *names.NETWORKS)
    )
    decoder: str = option(
        "", "Network of p(x | y, z). Default: as the classifier.", registered=("", *names.NETWORKS)
    )
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
    temperature: float = same_option(LatentFlags, "temperature")
