"""Inception scores against closed forms, and over the samples of a model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import evaluation, seeds
from tf_discrete.evaluation import generation


def one_hot(counts):
    """Certain answers, `counts` of each class, in a mixed order."""
    rows = np.repeat(np.eye(len(counts)), counts, axis=0)
    return np.random.RandomState(0).permutation(rows)


def test_the_same_answer_for_every_sample_scores_one():
    p = np.tile([[0.7, 0.2, 0.1, 0.0]], [60, 1])
    assert evaluation.inception_score(p, splits=3) == pytest.approx((1.0, 0.0, 3))
    assert evaluation.slides_inception_score(p, 20) == pytest.approx((0.0, 0.0, 3), abs=1e-15)


@pytest.mark.parametrize("classes", [2, 10])
def test_sure_answers_of_all_classes_score_their_number(classes):
    p = np.tile(np.eye(classes), [30, 1])
    assert evaluation.inception_score(p, splits=3) == pytest.approx((classes, 0.0, 3))
    slides = evaluation.slides_inception_score(p, 10 * classes)
    assert slides == pytest.approx((np.log(classes) / classes, 0.0, 3))
    assert np.exp(classes * slides.mean) == pytest.approx(classes)


def test_sure_answers_score_the_perplexity_of_their_frequencies():
    p = one_hot([5, 3, 2, 0])
    share = np.array([0.5, 0.3, 0.2])
    expected = np.exp(-(share * np.log(share)).sum())
    score = evaluation.inception_score(p, splits=1)
    assert score.mean == pytest.approx(expected) and np.isnan(score.spread)


def test_any_answers_by_hand():
    """Also that the slides' variant is the standard one's logarithm over the number of classes."""
    p = np.random.RandomState(1).dirichlet([0.3] * 5, size=64)
    marginal = p.mean(axis=0)
    total = 0.0
    for row in p:
        for one, all_ in zip(row, marginal, strict=True):
            total += one * np.log(one / all_)
    assert evaluation.inception_score(p, 1).mean == pytest.approx(np.exp(total / 64))
    slides = evaluation.slides_inception_score(p, 64)
    assert slides.mean == pytest.approx(total / 64 / 5) and slides.num_groups == 1
    assert 0 < slides.mean < np.log(5) / 5


def test_splits_are_scored_by_themselves():
    p = np.concatenate([np.tile(np.eye(2), [5, 1]), np.tile([[1.0, 0.0]], [10, 1])])
    score = evaluation.inception_score(p, splits=2)
    assert score == pytest.approx((1.5, np.std([2.0, 1.0], ddof=1), 2))
    slides = evaluation.slides_inception_score(np.concatenate([p, p[:9]]), 10)  # 9 are left over.
    values = [np.log(2) / 2, 0.0]
    assert slides == pytest.approx((np.mean(values), np.std(values, ddof=1), 2))


def test_few_samples_score_too_low():
    p = one_hot([640] * 10)
    few = evaluation.slides_inception_score(p, 64).mean
    many = evaluation.slides_inception_score(p, 6400).mean
    # The plug-in entropy lacks about (K - 1) / 2B nats.
    assert many - few == pytest.approx(9 / (2 * 64) / 10, rel=0.15)


class Drawer:
    """A model of one pixel: two thirds of the samples are dark, by a count or by the prior's."""

    def __init__(self):
        self.seeds = []

    def sample(self, num_samples, seed, prior=None):
        self.seeds.append(tuple(np.asarray(seed)))
        dark = tf.range(num_samples) % 3 < 2 if prior is None else tf.fill([num_samples], prior)
        return tf.where(dark, -0.5, 1.0)[:, None, None, None]  # Clipped before it is read.


@pytest.fixture(scope="module")
def reader():
    """Says class 0 of a dark pixel and class 1 of a bright one."""
    inputs = keras.Input((1, 1, 1))
    bright = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Concatenate()([1 - bright, bright]))


def test_the_samples_of_a_model(reader):
    model = Drawer()
    found = evaluation.evaluate_generation(model, reader, 1200, seed=3, splits=2, sample_size=60)
    perplexity = np.exp(-(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)))
    assert found.inception_score.mean == pytest.approx(perplexity, rel=5e-3)
    assert found.slides_score.mean == pytest.approx(np.log(perplexity) / 2, rel=5e-3)
    assert found.slides_as_standard == pytest.approx(perplexity, rel=5e-3)
    assert (found.num_samples, found.slides_score.num_groups) == (1200, 20)
    expected = [tuple(seeds.fold(seeds.base(3), "generation", i).numpy()) for i in range(3)]
    assert model.seeds == expected and len(set(expected)) == 3


def test_the_prior_reaches_the_model(reader):
    found = evaluation.evaluate_generation(Drawer(), reader, 100, prior=True, sample_size=50)
    assert found.inception_score.mean == pytest.approx(1.0)


@pytest.mark.parametrize("probs", [np.zeros([0, 3]), np.ones([4])])
def test_bad_shapes_are_refused(probs):
    with pytest.raises(ValueError, match="one distribution per sample.*Received: probs.shape="):
        evaluation.inception_score(probs, 1)


@pytest.mark.parametrize("probs", [[[2.0, -1.0]], [[0.5, 0.2]], [[np.nan, 1.0]]])
def test_rows_that_are_no_distributions_are_refused(probs):
    with pytest.raises(ValueError, match="must be distributions.*Received: minimum="):
        evaluation.slides_inception_score(probs, 1)


@pytest.mark.parametrize("count", [0, 5])
def test_numbers_of_groups_that_do_not_fit_are_refused(count):
    p = np.eye(4)
    with pytest.raises(ValueError, match=f"needs a sample.*splits={count}, 4 samples"):
        evaluation.inception_score(p, count)
    with pytest.raises(ValueError, match=f"must be filled.*sample_size={count}, 4 samples"):
        evaluation.slides_inception_score(p, count)


def test_it_is_part_of_the_public_names():
    assert evaluation.evaluate_generation is generation.evaluate_generation
