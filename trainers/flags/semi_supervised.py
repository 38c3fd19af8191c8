"""Flags of trainers.semi_supervised."""

from __future__ import annotations

import dataclasses

from . import names
from .config import option
from .latents import AnnealingFlags, BaselineFlags, KLFlags, PixelFlags
from .run import RunConfig

CLASS_ORDERS = ("given", "clustered", "learned")


@dataclasses.dataclass(frozen=True)
class Config(KLFlags, AnnealingFlags, BaselineFlags, PixelFlags, RunConfig):
    """Flags of this trainer; those of the model have the names of its arguments."""

    batch_size: int = option(
        100,
        "Unlabelled images per training step, in addition to --labelled_batch_size labelled ones.",
        lower=1,
    )
    labels_per_class: int = option(
        10, "Number of labels of each class that are used, chosen at random. 0: all.", lower=0
    )
    label_seed: int = option(0, "Seed by which the labels are chosen.", lower=0, upper=2**32 - 1)
    labelled_batch_size: int = option(
        100, "Labelled images per training step, or all of them if there are fewer.", lower=1
    )
    latents: str = option(
        "categorical",
        "'categorical': a logit for each class. 'tree': the class is a path through a tree, for very many "
        "classes.",
        choices=("categorical", "tree"),
    )
    branching: tuple[int, ...] = option(
        (),
        "With --latents=tree, the children of a node at each depth, whose product is the number of "
        "classes. Empty: as few depths of at most 64 children as possible.",
        lower=2,
    )
    class_order: str = option(
        "given",
        "With --latents=tree, which leaf of the tree a class is. 'given': its number. 'clustered': classes "
        "with similar mean images lie below one node. 'learned': each lies where the classifier sees it "
        "before the first epochs.",
        choices=CLASS_ORDERS,
    )
    estimator: str = option(
        "gumbel_softmax",
        "Estimator of the class: 'enumeration' marginalises it, the others sample it and infer class and "
        "style in one pass: " + ", ".join(names.CATEGORICAL_ESTIMATORS) + ".",
        registered=names.CATEGORICAL_ESTIMATORS,
    )
    num_samples: int = option(
        0, "Class samples per unlabelled image. 0: the fewest that the estimator takes.", lower=0
    )
    learning_rate: float = option(3e-3, "Learning rate of Adam.", positive=True)
    style_size: int = option(50, "Number of Gaussian style variables.", lower=1)
    classifier: str = option(
        "mlp", "Network of q(y | x): 'mlp', 'conv' or a registered name.", registered=names.NETWORKS
    )
    style_encoder: str = option(
        "",
        "Network of q(z | x, y). Default: that of --classifier.",
        registered=("", *names.NETWORKS),
    )
    decoder: str = option(
        "",
        "Network of p(x | y, z). Default: that of --classifier.",
        registered=("", *names.NETWORKS),
    )
    hidden_units: tuple[int, ...] = option(
        (500, 500), "Units of the hidden layers; the decoder mirrors them."
    )
    filters: tuple[int, ...] = option(
        (32, 64, 128),
        "Filters of the convolutions of 'conv' networks; each convolution halves the image.",
    )
    activation: str = option("relu", "Keras activation of the hidden layers.")
    normalization: str = option(
        "batch",
        "'batch': batch norm in networks that read an image, layer norm in those that read image and class.",
        choices=("none", "batch"),
    )
    prior: str = option(
        "uniform",
        "Prior of the class: uniform, or logits that are learned.",
        choices=("uniform", "learned"),
    )
    alpha: float = option(
        10.0,
        "Weight of the cross-entropy of a labelled image; --labelled_weight is that of its ELBO.",
        lower=0,
    )
    labelled_weight: float = option(1.0, "Weight of the ELBO of a labelled image.", lower=0)
    classifier_dropout: float = option(
        0.2, "Dropout rate of the classifier.", lower=0.0, upper=0.99
    )
    input_noise: float = option(
        0.1, "Standard deviation of the Gaussian noise on the input of the classifier.", lower=0
    )
    augment_shift: int = option(
        0, "Maximum shift of the input of the classifier, in pixels.", lower=0
    )
    augment_rotation: float = option(
        0.0,
        "Maximum rotation of the input of the classifier, in degrees, to either side.",
        lower=0,
        upper=179,
    )
    augment_zoom: float = option(
        0.0,
        "Maximum zoom of the input of the classifier, in or out; 0.1 is 10 %.",
        lower=0,
        upper=0.9,
    )
    consistency: float = option(
        0.0,
        "Weight of the term that assigns a distorted view to the class of the original.",
        lower=0,
    )
    balance: float = option(
        0.0, "Weight of the KL from the mean class probabilities of a batch to the prior.", lower=0
    )
    features: str = option(
        "",
        "Directory of a finished run of trainers.categorical_vae whose code probabilities the model reads in "
        "place of the images (M1+M2); its decoder returns images. Default: the model reads the images.",
        path=True,
    )
    monitor: str = option(
        "auto",
        "Validation metric that selects the best epoch: 'accuracy' or 'hard_elbo_nats'. 'auto': accuracy "
        "if the validation split has labels.",
        choices=("auto", "accuracy", "hard_elbo_nats"),
    )
    temperature: float = option(
        0.0,
        "Temperature of the estimator, or its initial value under a schedule. 0: 0.5 for gumbel_softmax and "
        "its straight-through variants, the default of other estimators, or 1 under a schedule.",
        lower=0,
    )
    temperature_schedule: str = option(
        "constant",
        "'exponential': max(temperature_final, temperature * exp(-temperature_rate * step)); 'linear' "
        "and 'cosine' reach temperature_final after temperature_steps; 'auto': exponential for "
        "gumbel_softmax and its straight-through variants, constant for other estimators.",
        choices=("auto", "constant", "exponential", "linear", "cosine"),
    )
