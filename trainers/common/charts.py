"""The charts of a run in TensorBoard: the question that each belongs to, and what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.plugins.histogram import metadata as histogram

from tf_discrete import plots

from . import standard_errors

OBJECTIVE, DISCRETE, CODES = "objective", "discrete_path", "codes"
CLASSES, OPTIMISATION, AGENT, TEST = "classification", "optimisation", "agent", "test"
"""The groups: what is trained, what the discrete model scores, how codes are used, how well classes are read,
the state of the optimizer, how an agent does, and the numbers of the end."""


class Chart(NamedTuple):
    """One chart.

    Attributes:
        tag: Its name in TensorBoard, GROUP/QUANTITY: the same for train, validation and test.
        description: What it shows, with its unit and direction.
    """

    tag: str
    description: str


_NATS = "Nats per example."
_DESCRIPTIONS: dict[str, dict[str, str]] = {
    OBJECTIVE: {
        "loss": "What the optimizer minimises, with all weights. Lower is better.",
        "elbo_nats": f"The ELBO as trained, with the samples of the estimator. {_NATS} Higher is better; "
        "with relaxed samples it is no bound of the discrete model.",
        "multi_sample_bound_nats": f"The bound of several samples, as trained. {_NATS} Higher is better.",
        "reconstruction_nats": f"-log p(x | z) as trained. {_NATS} Lower is better.",
        "kl_nats": f"KL from posterior to prior, summed over variables. {_NATS}",
        "log_prob_nats": f"log p(code) under the prior that is trained. {_NATS} Higher is better.",
        "prior_nats": f"-log p(z) of the codes under the code prior. {_NATS} Lower is better.",
        "elbo_labelled_nats": f"The ELBO of images with a label. {_NATS} Higher is better.",
        "elbo_unlabelled_nats": f"The ELBO of images without a label. {_NATS} Higher is better.",
        "classification_nats": f"Cross-entropy of the labels. {_NATS} Lower is better.",
        "class_entropy_nats": f"Entropy of the inferred class. {_NATS}",
        "consistency_nats": f"Cross-entropy of distorted views. {_NATS} Lower is better.",
        "balance_nats": "KL from the mean class probabilities of a batch to the prior, in nats.",
    },
    DISCRETE: {
        "hard_elbo_nats": f"The ELBO of the discrete model, with one-hot samples. {_NATS} Higher is better; "
        "compare models by it.",
        "hard_reconstruction_nats": f"-log p(x | z) with one-hot samples. {_NATS} Lower is better.",
        "style_kl_nats": f"KL of the style to its prior. {_NATS}",
        "class_kl_nats": f"KL of the inferred class to its prior. {_NATS}",
    },
    CODES: {
        "perplexity": "Effective number of categories, averaged over the variables.",
        "perplexity_min": "Effective number of categories of the variable that uses the fewest.",
        "active_units": "Variables whose category depends on the image.",
        "collapsed_units": "Variables that tell nothing about the image. Lower is better.",
        "used_codes": "Share of the codes of a codebook that occur, mean over the codebooks.",
        "mutual_information_nats": "Nats that a variable tells about the image, mean over the variables.",
    },
    CLASSES: {
        "accuracy": "Share of labelled images whose most probable class is right. Higher is better.",
        "calibration_error": "How far confidence and accuracy are apart, on average. Lower is better.",
    },
    OPTIMISATION: {
        "learning_rate": "Learning rate of the optimizer.",
        "gradient_norm": "Norm over all weights of the gradient of the mean loss.",
        "temperature": "Temperature of the estimator; low is nearly discrete.",
        "kl_weight": "Weight of the KL in the objective.",
        "alpha": "Weight of the cross-entropy of the labels.",
        "slope": "Slope of the logits that are sampled; high is nearly discrete.",
        "discrete_fraction": "Probability that a bit is rounded in training.",
    },
    AGENT: {
        "return": "Discounted return of episodes without exploration, on average. Higher is better.",
        "states": "States in the agent's table.",
        "moved_transitions": "Remembered transitions whose states have new codes since the last round.",
    },
    TEST: {
        "bound_nats": f"Importance-weighted bound at the end. {_NATS} Higher is better.",
        "bound_samples": "Samples of the bound.",
        "num_examples": "Examples that were scored.",
        "reconstruction_mse": "Squared error of a pixel of reconstructions. Lower is better.",
        "mean_image_mse": "Squared error of a pixel of the mean training image; compare reconstruction_mse.",
        "reconstruction_accuracy": "Share of reconstructions that a classifier of real images gets right.",
        "original_accuracy": "Share of the originals that it gets right; compare reconstruction_accuracy.",
        "linear_accuracy": "Accuracy of a linear classifier of the pixels on the same labels.",
        "inception_score": "Inception score of samples. Higher is better.",
        "inception_score_spread": "Spread of the inception score over parts of the samples.",
        "slides_score": "The score of the 2018 comparison, of samples. Higher is better.",
        "slides_score_spread": "Spread of that score over parts of the samples.",
    },
}
PICTURES = {
    "analogies": "The style of the images on the left in every class.",
    "class_grid": "Generated images: a style in a row, a class in a column.",
    "codes": "How often each variable takes each category, and its effective number of categories.",
    "bound_vs_seconds": "Discrete ELBO on validation images over the measured time of training steps.",
    "bound_vs_steps": "Discrete ELBO on validation images over training steps.",
    "completions": "Inputs, some completions, the mean of many, and the truth.",
    "confusion": "Labelled validation images by true and by assigned class.",
    "gradient_variance": "Variance of the gradient of the encoder, and its angle to the unbiased one.",
    "reconstructions": "Validation images, and what is decoded from their most probable codes.",
    "samples": "Images decoded from samples of the prior.",
    "perplexity_per_variable": "Effective number of categories of each variable.",
    "posterior_logits": "Logits of the codes of validation images.",
    "posterior_probs": "Probabilities of the categories of validation images.",
}
"""Pictures and histograms of a run or a comparison, and what they show."""
WEIGHTS = "Values of one weight of the model."
BUCKETS = 30
"""Buckets of a histogram, as many as TensorFlow makes."""
_SAME = {"mean_perplexity": "perplexity"}
"""Other names of a quantity in the results of a run."""

_TOGETHER = {
    "hard_elbo_nats": ("elbo_nats",),
    "perplexity": ("perplexity_min",),
    "bound_nats": ("hard_elbo_nats",),
}
"""Quantities that the layout also draws in the chart of another: do the two drift apart?"""

CHARTS = {
    name: Chart(f"{group}/{name}", description)
    for group, charts in _DESCRIPTIONS.items()
    for name, description in charts.items()
}


def chart(name: str) -> Chart:
    """Returns the chart of a quantity.

    Args:
        name: Of a term of the logs, `usage/...` of the use of codes, or of a test result.

    Example:
        >>> [chart(name).tag for name in ("kl_nats", "usage/perplexity", "mean_perplexity", "temperature_2")]
        ['objective/kl_nats', 'codes/perplexity', 'codes/perplexity', 'optimisation/temperature_2']
    """
    name = name.removeprefix("usage/")
    name = _SAME.get(name, name)
    if name in CHARTS:
        return CHARTS[name]
    if standard_errors.ERROR in name:
        quantity = name.replace(standard_errors.ERROR, "")
        return Chart(f"{TEST}/{name}", f"Standard error of {quantity} over examples.")
    stem = re.sub(r"_\d+$", "", name)
    if stem in CHARTS:
        group = CHARTS[stem].tag.split("/")[0]
        return Chart(f"{group}/{name}", f"{CHARTS[stem].description} Of one of several layers.")
    group = DISCRETE if name.startswith("hard_") else OBJECTIVE
    return Chart(f"{group}/{name}", f"{name.replace('_', ' ')}, averaged over examples.")


def layout(tags: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Returns the custom layout of the charts of a run: for each group its charts, each a title and its tags.

    A quantity of several layers is one chart.

    Args:
        tags: Of the scalars that the run writes.

    Example:
        >>> layout(["optimisation/slope_2", "optimisation/slope", "objective/loss"])["optimisation"]
        {'slope': ['optimisation/slope', 'optimisation/slope_2']}
    """
    known = sorted(set(tags))
    found: dict[str, dict[str, list[str]]] = {}
    for group in _DESCRIPTIONS:
        own = [tag for tag in known if tag.startswith(f"{group}/")]
        for tag in sorted(own, key=lambda tag: _order(group, _stem(tag))):
            found.setdefault(group, {}).setdefault(_stem(tag), []).append(tag)
    for charts in found.values():
        for title, others in _TOGETHER.items():
            if title in charts:
                charts[title] += [tag for tag in known if _stem(tag) in others]
    return found


def write_picture(name: str, figure: Figure) -> None:
    """Writes a figure with its description to the default writer of summaries."""
    pixels = plots.to_image(figure)[np.newaxis]
    tf.summary.image(name, pixels, description=PICTURES.get(name))


def write_histogram(name: str, values: Any) -> None:
    """Writes a histogram of the finite values with its description to the default writer of summaries."""
    found = np.asarray(tf.cast(values, tf.float32))
    found = found[np.isfinite(found)]
    # In float32, the edges between nearly equal values coincide, and the width between the largest overflows.
    ends = (np.float64(found.min()), np.float64(found.max())) if found.size else None
    # tf.summary.histogram makes a one-hot vector of every value: 16 GB for a table of 2**20 rows of 64.
    counts, edges = np.histogram(found, BUCKETS, range=ends)
    description = WEIGHTS if name.startswith("weights/") else PICTURES[name]
    about = histogram.create_summary_metadata(display_name=None, description=description)
    tf.summary.write(name, np.stack([edges[:-1], edges[1:], counts], axis=-1), metadata=about)


def _stem(tag: str) -> str:
    """Returns the quantity of a tag, the same for all layers."""
    name = tag.split("/", 1)[1]
    stem = re.sub(r"_\d+$", "", name)
    return stem if stem in CHARTS else name


def _order(group: str, stem: str) -> int:
    names = list(_DESCRIPTIONS[group])
    return names.index(stem) if stem in names else len(names)


def deciding(description: str) -> str:
    """Returns the description of the chart whose highest value decides the best epoch."""
    return f"**Its highest value decides the best epoch.** {description}"
