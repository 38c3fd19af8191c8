"""Generation: the inception score of samples, as it is commonly defined and as slides have used it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.evaluation.image_classifiers import predict_probs
from tf_discrete.types import CodeSource

if TYPE_CHECKING:
    from tf_discrete.models.autoencoder import DiscreteAutoencoder

BATCH_SIZE = 500


class Score(NamedTuple):
    """A score over groups of samples.

    Attributes:
        mean: over the groups.
        spread: standard deviation over the groups; NaN for a single one.
        num_groups: how many there were.
    """

    mean: float
    spread: float
    num_groups: int


class Generation(NamedTuple):
    """The result of `evaluate_generation`.

    Attributes:
        inception_score: the standard one, between 1 and the number of classes.
        slides_score: the slides' variant, between 0 and log(K) / K.
        slides_as_standard: exp(K * slides_score.mean), on the scale of the standard one.
        num_samples: Int, number of samples.
    """

    inception_score: Score
    slides_score: Score
    slides_as_standard: float
    num_samples: int


def inception_score(probs: ArrayLike, splits: int = 10) -> Score:
    """Returns exp(mean_x KL(p(y | x) || p(y))) of a classifier's answers, natural logarithm.

    1 where the classifier says the same of every sample; K where it is sure of each and all classes are
    equally common. The score of few samples is too low: p(y) is estimated from the same samples.

    Args:
        probs: p(y | x) of each sample, [B, K].
        splits: parts of equal size, up to one sample, that are scored by themselves. Default: 10.

    Returns:
        score: its mean and spread over the parts.

    Raises:
        ValueError: no distributions, or fewer samples than splits.

    Example:
        >>> inception_score(np.tile(np.eye(4), [25, 1]), splits=5)
        Score(mean=4.0, spread=0.0, num_groups=5)

    Reference:
        Salimans et al. Improved techniques for training GANs. 2016. arXiv:1606.03498.
    """
    p = _check_probs(probs)
    if not 1 <= checks.whole("splits", splits, lowest=0) <= len(p):
        raise ValueError(
            "Every split needs a sample. Give 1 <= splits <= the number of samples. "
            f"Received: splits={splits}, {len(p)} samples"
        )
    return _score([np.exp(_divergences(part).mean()) for part in np.array_split(p, splits)])


def slides_inception_score(probs: ArrayLike, sample_size: int = 64) -> Score:
    """The mean over samples and classes of p(y | x) (log p(y | x) - log p(y)), without an exponential.

    It averages over the K classes where the standard score sums, so it lies between 0 and log(K) / K:
    exp(K * score) is on the scale of the standard one. Its samples are few, which makes it too low.

    Args:
        probs: p(y | x) of each sample, [B, K].
        sample_size: samples that are scored together; those left over are not used. Default: 64.

    Returns:
        score: its mean and spread over the groups.

    Raises:
        ValueError: no distributions, or fewer samples than a group takes.

    Example:
        >>> score = slides_inception_score(np.tile(np.eye(10), [64, 1]), sample_size=640)
        >>> bool(np.isclose(score.mean, np.log(10) / 10))
        True

    Reference:
        Kozakowski. Discrete autoencoders: Gumbel-Softmax vs improved semantic hashing. 2018.
        https://slides.com/piotrkozakowski/discrete-autoencoders
    """
    p = _check_probs(probs)
    if not 1 <= checks.whole("sample_size", sample_size, lowest=0) <= len(p):
        raise ValueError(
            "A group must be filled. Give 1 <= sample_size <= the number of samples. "
            f"Received: sample_size={sample_size}, {len(p)} samples"
        )
    groups = p[: len(p) // sample_size * sample_size].reshape(-1, sample_size, p.shape[1])
    return _score([_divergences(group).mean() / p.shape[1] for group in groups])


def evaluate_generation(
    model: DiscreteAutoencoder,
    classifier: keras.Model,
    num_samples: int = 6400,
    seed: int = 0,
    prior: CodeSource | None = None,
    splits: int = 10,
    sample_size: int = 64,
) -> Generation:
    """Samples from a model and scores the samples by both inception scores.

    Args:
        model: with `sample(num_samples, seed)`, whose images lie in [0, 1] (others are clipped).
        classifier: Classifier of real images, see `train_classifier`.
        num_samples: Int, number of samples. Default: 6400.
        seed: Seed of the samples. Default: 0.
        prior: where the codes come from, as `DiscreteAutoencoder.sample` takes it, such as `model.prior`.
            Default: `code_prior` of the model, or its `prior` where it has none.
        splits: see `inception_score`. Default: 10.
        sample_size: see `slides_inception_score`. Default: 64.

    Raises:
        ValueError: fewer samples than splits, or than `sample_size`.
    """
    num_samples, seed = checks.whole("num_samples", num_samples), checks.seed("seed", seed)
    splits, sample_size = checks.whole("splits", splits), checks.whole("sample_size", sample_size)
    options = {} if prior is None else {"prior": prior}
    probs = []
    for index, start in enumerate(range(0, num_samples, BATCH_SIZE)):
        drawn = seeds.fold(seeds.base(seed), "generation", index)
        images = model.sample(min(BATCH_SIZE, num_samples - start), drawn, **options)
        probs.append(predict_probs(classifier, tf.clip_by_value(images, 0.0, 1.0)))
    everything = np.concatenate(probs)
    slides = slides_inception_score(everything, sample_size)
    return Generation(
        inception_score(everything, splits),
        slides,
        float(np.exp(everything.shape[1] * slides.mean)),
        num_samples,
    )


def _divergences(p: np.ndarray) -> np.ndarray:
    """Returns KL(p(y | x) || p(y)) in nats of each row, p(y) being their mean."""
    marginal = p.mean(axis=0)
    known = p > 0
    log_ratio = np.log(np.where(known, p, 1.0)) - np.log(np.where(marginal > 0, marginal, 1.0))
    return np.where(known, p * log_ratio, 0.0).sum(axis=1)


def _score(values: list[float]) -> Score:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Score(float(np.mean(values)), spread, len(values))


def _check_probs(probs: ArrayLike) -> np.ndarray:
    p = np.asarray(probs, np.float64)
    if p.ndim != 2 or p.size == 0:
        raise ValueError(
            "probs must be [B, num_classes] with at least one sample. Give one distribution per "
            f"sample. Received: probs.shape={p.shape}"
        )
    sums = p.sum(axis=1)
    if not (np.isfinite(p).all() and (p >= 0).all() and np.allclose(sums, 1, atol=1e-3)):
        raise ValueError(
            "The rows of probs must be distributions. Look for logits, or for a diverged classifier. "
            f"Received: minimum={p.min()}, sums from {sums.min()} to {sums.max()}"
        )
    return p / sums[:, np.newaxis]
