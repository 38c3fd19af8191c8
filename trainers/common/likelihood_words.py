"""The meaning of a likelihood for the data at hand: probabilities, densities or cross-entropies."""

from __future__ import annotations

import numpy as np

from tf_discrete import datasets, likelihoods
from tf_discrete.likelihoods import Likelihood

_LOOKED_AT = 1000


def is_black_and_white(split: datasets.Split) -> bool:
    """Returns whether the pixels that a model sees are 0 or 1, judged by the first images."""
    some = split.images[:_LOOKED_AT]
    return split.binarization != "none" or bool(np.isin(some, (0, some.max())).all())


def is_cross_entropy(split: datasets.Split, likelihood: Likelihood | None) -> bool:
    """Returns whether the log-likelihood is a negative cross-entropy: that of bits, of grey pixels."""
    return isinstance(likelihood, likelihoods.Bernoulli) and not is_black_and_white(split)


def pixels(split: datasets.Split, likelihood: Likelihood | None, features: bool = False) -> str:
    """Returns what the pixels are, their likelihood, and what its numbers mean, in words.

    Args:
        split: Of the data.
        likelihood: Of the model; None for one that has none.
        features: Whether the likelihood is one of features of the images. Default: False, of the pixels.
    """
    colour = "colour" if split.image_shape[-1] > 1 else "grey"
    kind = "black and white" if is_black_and_white(split) else colour
    if split.binarization != "none":
        kind += f" ({split.binarization} binarization)"
    if likelihood is None:
        return kind
    settings = ", ".join(f"{name}={value}" for name, value in likelihood.get_config().items())
    shown = f"{kind}; likelihood {type(likelihood).__name__}({settings})"
    if features:
        return f"{shown}: bounds are of features of the images, not of the pixels"
    meant = meaning(split, likelihood)
    return f"{shown}: {meant}" if meant else shown


def bound_of(split: datasets.Split, likelihood: Likelihood | None, features: bool = False) -> str:
    """Returns what bounds are bounds on, in a few words; "" where the likelihood does not say it.

    The arguments are those of `pixels`.
    """
    if features:
        return "of features of the images"
    if likelihood is None or likelihood.density is None:
        return ""
    if is_cross_entropy(split, likelihood):
        return "negative cross-entropy of grey pixels"
    return "log density" if likelihood.density else "log probability"


def meaning(split: datasets.Split, likelihood: Likelihood | None) -> str:
    """Returns what the bounds of a likelihood are bounds on, in words; "" for one that does not say it."""
    if likelihood is None or likelihood.density is None:
        return ""
    if is_cross_entropy(split, likelihood):
        return (
            "bounds are of the negative cross-entropy of grey pixels, not of log p(x); "
            "--binarization makes them bounds on log p(x)"
        )
    if likelihood.density:
        return "bounds are of the log density of the pixels, which may be positive"
    return "bounds are of the log probability of the pixels, which is at most 0"
