"""Scores of the codes of a trained model: distortion, use, retrieval, the harm of a flipped bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete import datasets, evaluation
from tf_discrete.models.autoencoder import DiscreteAutoencoder


def distortion(model: DiscreteAutoencoder, split: datasets.Split) -> dict[str, float]:
    """Returns the error of deterministic codes: cross-entropy in nats, mean square, and its PSNR in dB."""
    nats = evaluation.reconstruction_nats(model, split.batches(500)).mean_nats
    errors = [
        np.square(batch["image"] - model.reconstruct(batch["image"])).mean(axis=(1, 2, 3))
        for batch in split.batches(500)
    ]
    error = float(np.concatenate(errors).mean())
    return {"nats": nats, "squared_error": error, "psnr": -10 * math.log10(max(error, 1e-12))}


def use(digits: np.ndarray, num_categories: int) -> dict[str, float]:
    """Returns the use of codes [M, N] over an epoch.

    Returns:
        use: Mean share of the categories of a variable that occur; least_use: the smallest.
        perplexity: Mean over the variables, as a share of the categories.
        active: Share of the variables whose most frequent category has less than 99 % of the codes.
    """
    usage = evaluation.CodeUsage(digits.shape[1], num_categories)
    usage.update(digits)
    found = usage.result()
    return {
        "use": float(found.used_fraction.mean()),
        "least_use": float(found.used_fraction.min()),
        "perplexity": float(found.perplexity.mean() / num_categories),
        "active": float(found.active.mean()),
    }


def flipped_bit_harm(
    model: DiscreteAutoencoder, digits: np.ndarray, num_categories: int, split: datasets.Split
) -> float:
    """Returns how much a random bit that is flipped in each code raises the cross-entropy, in nats.

    The bits of a variable are those of the binary number of its category, so K must be a power of two.
    """
    width = round(math.log2(num_categories))
    random = np.random.default_rng(0)
    rows = np.arange(len(digits))
    variable, bit = (random.integers(size, size=len(digits)) for size in (digits.shape[1], width))
    flipped = digits.copy()
    flipped[rows, variable] ^= (1 << bit).astype(digits.dtype)
    return float((_nats(model, flipped, split) - _nats(model, digits, split)).mean())


def retrieval(
    known: np.ndarray,
    asked: np.ndarray,
    num_categories: int,
    splits: tuple[datasets.Split, datasets.Split],
    k: int,
) -> dict[str, float]:
    """Returns mAP and precision@k of search by Hamming distance, where the class decides."""
    labels = [np.asarray(split.labels) for split in splits]
    found = evaluation.evaluate_retrieval(
        asked, labels[1], known, labels[0], k, num_categories, ties="expected"
    )
    return {
        "mean_average_precision": found.mean_average_precision,
        "precision_at_k": found.precision_at_k,
    }


def _nats(model: DiscreteAutoencoder, digits: np.ndarray, split: datasets.Split) -> np.ndarray:
    codes, start, found = np.asarray(model.latent_spec.join_digits(digits)), 0, []
    for batch in split.batches(500):
        x = tf.cast(batch["image"], tf.float64)
        own = codes[start : start + len(x)]
        start += len(x)
        mean = tf.clip_by_value(tf.cast(model.decode(own), tf.float64), 1e-7, 1 - 1e-7)
        terms = x * tf.math.log(mean) + (1 - x) * tf.math.log(1 - mean)
        found.append(-tf.reduce_sum(terms, axis=(1, 2, 3)).numpy())
    return np.concatenate(found)


def generation(
    model: DiscreteAutoencoder, prior: Any, classifier: Any, num_samples: int, seed: int
) -> dict[str, float]:
    """Returns the inception score of samples with independent codes and with the prior."""
    return {
        f"inception_score_{name}": evaluation.evaluate_generation(
            model, classifier, num_samples, seed, source
        ).inception_score.mean
        for name, source in (("independent", model.prior), ("prior", prior))
    }
