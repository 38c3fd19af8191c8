from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import evaluation, seeds
from tf_discrete.evaluation import importance_weighted_bound

X = tf.constant([[0.3], [1.2], [-0.5]])


class Recorder:
    """Weights that are draws, and a note of all that was asked for."""

    def __init__(self, rows=10_000):
        self.calls, self.seeds, self.weights, self.rows = [], [], [], rows

    def log_weights(self, x, num_samples, seed):
        drawn = tf.random.stateless_normal([num_samples, tf.shape(x)[0]], seed) + x[:, 0]
        if tf.executing_eagerly():
            self.calls.append(num_samples)
            self.seeds.append(tuple(seed.numpy().tolist()))
            self.weights.append(drawn.numpy())
        return drawn

    def max_decoder_rows(self):
        return self.rows


@pytest.mark.parametrize(
    "num_samples,chunk,calls",
    [
        (1, 100, [1]),
        (7, 100, [7]),
        (6, 2, [2, 2, 2]),
        (7, 3, [3, 3, 1]),
        (5, 1, [1] * 5),
        (3, 3, [3]),
    ],
)
def test_the_bound_is_the_log_of_the_mean_weight_over_all_chunks(num_samples, chunk, calls):
    recorder = Recorder()
    bound = importance_weighted_bound(
        recorder.log_weights, X, num_samples, seeds.base(1), chunk=chunk
    )
    assert recorder.calls == calls
    assert len(set(recorder.seeds)) == len(calls)
    weights = np.concatenate(recorder.weights).astype(np.float64)
    assert len(np.unique(weights)) == weights.size  # No draw is used twice.
    expected = np.log(np.mean(np.exp(weights), axis=0))
    np.testing.assert_allclose(bound, expected, rtol=1e-5, atol=1e-6)


def test_compiled_it_is_the_same():
    recorder = Recorder()

    @tf.function
    def compiled(x):
        return importance_weighted_bound(recorder.log_weights, x, 7, seeds.base(1), chunk=3)

    eager = importance_weighted_bound(recorder.log_weights, X, 7, seeds.base(1), chunk=3)
    np.testing.assert_allclose(compiled(X), eager, rtol=1e-6)


def test_weights_that_exp_cannot_hold():
    bound = importance_weighted_bound(
        lambda x, n, seed: tf.fill([n, 3], -2000.0), X, 5, seeds.base(0), chunk=2
    )
    np.testing.assert_allclose(bound, [-2000.0] * 3)


@pytest.mark.parametrize("name", ["num_samples", "chunk"])
def test_refused(name):
    arguments = {"num_samples": 2, "chunk": 2, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1. Received: {name}=0"):
        importance_weighted_bound(Recorder().log_weights, X, seed=seeds.base(0), **arguments)


@pytest.mark.parametrize("data", [[], [tf.zeros([0, 1])]], ids=["no batches", "empty batches"])
def test_no_examples_have_no_mean(data):
    with pytest.raises(ValueError, match=f"at least one example.*Received: {len(data)} batches"):
        evaluation.evaluate_bound(Recorder(), data, num_samples=2)


def test_weights_that_are_not_one_for_each_example_are_refused():
    class Broadcast(Recorder):
        def log_weights(self, x, num_samples, seed):
            return tf.zeros([num_samples, 28])

    with pytest.raises(
        ValueError, match=r"one value for each sample.*shape \(28,\) for 1 examples"
    ):
        evaluation.evaluate_bound(Broadcast(), [X[:1]], num_samples=2)


def batches(sizes):
    values = np.random.RandomState(0).normal(size=[sum(sizes), 1]).astype(np.float32)
    return [{"image": tf.constant(part)} for part in np.split(values, np.cumsum(sizes)[:-1])]


def test_over_a_data_set(monkeypatch):
    recorder, seen = Recorder(), []
    data = batches([4, 4, 1])
    found = evaluation.evaluate_bound(recorder, data, num_samples=5, seed=2, progress=seen.append)
    assert seen == [4, 4, 1]
    assert (found.num_examples, found.num_samples) == (9, 5)
    values = np.concatenate(
        [
            importance_weighted_bound(
                recorder.log_weights, batch["image"], 5, seeds.fold(seeds.base(2), "bound", i, 0)
            )
            for i, batch in enumerate(data)
        ]
    )
    assert len(set(recorder.seeds)) == 3  # Each batch has its own.
    assert found.mean_nats == pytest.approx(values.mean(), rel=1e-6)
    assert found.standard_error_nats == pytest.approx(values.std(ddof=1) / 3, rel=1e-5)
    again = evaluation.evaluate_bound(recorder, data, num_samples=5, seed=2)
    assert again == found
    other = evaluation.evaluate_bound(recorder, data, num_samples=5, seed=3)
    assert other.mean_nats != found.mean_nats


def test_tensors_will_do_and_one_example_has_no_standard_error():
    found = evaluation.evaluate_bound(Recorder(), [X[:1]], num_samples=2)
    assert found.num_examples == 1 and math.isnan(found.standard_error_nats)


@pytest.mark.parametrize(
    "model_rows,rows,samples,examples",
    [
        (10_000, None, 50, 4),
        (100, None, 50, 2),
        (60, None, 50, 1),
        (12, None, 12, 1),
        (1, None, 1, 1),
        (10_000, 20, 20, 1),
        (10_000, 150, 50, 3),
    ],
)
def test_memory_is_bounded(model_rows, rows, samples, examples):
    """All samples at once if they fit, and as many of 4 examples as then do."""
    asked = []

    class Model(Recorder):
        def log_weights(self, x, num_samples, seed):
            asked.append((num_samples, x.shape[0] or 0))
            return super().log_weights(x, num_samples, seed)

    found = evaluation.evaluate_bound(Model(model_rows), batches([4]), num_samples=50, rows=rows)
    assert max(asked) == (samples, examples) and found.num_examples == 4


def test_examples_of_a_batch_that_is_divided_have_other_samples():
    """Equal examples, each in a part of its own: their bounds differ by the samples alone."""
    found = evaluation.evaluate_bound(Recorder(), [tf.ones([6, 1])], num_samples=10, rows=10)
    assert found.standard_error_nats > 0.01
