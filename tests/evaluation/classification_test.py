import numpy as np
import pytest

from tf_discrete import evaluation

PROBS = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])


def test_accuracy_and_confusion_by_hand():
    assert evaluation.accuracy(PROBS, [0, 1, 1, 1]) == 0.75
    assert evaluation.confusion_matrix(PROBS, [0, 1, 1, 1]).tolist() == [[1, 0], [1, 2]]
    np.testing.assert_array_equal(
        evaluation.confusion_matrix(np.eye(3)[[0, 2, 2]], [0, 1, 2]),
        [[1, 0, 0], [0, 0, 1], [0, 0, 1]],
    )


def test_calibration_error_by_hand():
    # With two bins all confidences share the upper one: |3/4 - mean(0.9, 0.6, 0.7, 0.8)| = 0.
    assert evaluation.expected_calibration_error(PROBS, [0, 1, 1, 1], num_bins=2) < 1e-12
    # With ten bins each is alone: (0.1 + 0.6 + 0.3 + 0.2) / 4.
    error = evaluation.expected_calibration_error(PROBS, [0, 1, 1, 1], num_bins=10)
    np.testing.assert_allclose(error, 0.3)


@pytest.mark.parametrize("right, expected", [(8, 0.0), (5, 0.3), (10, 0.2)])
def test_calibration_error_is_the_gap_of_a_constant_confidence(right, expected):
    probs = np.tile([0.8, 0.2], [10, 1])
    labels = (np.arange(10) >= right).astype(int)
    error = evaluation.expected_calibration_error(probs, labels)
    np.testing.assert_allclose(error, expected, atol=1e-12)


def test_certainty_falls_into_the_last_bin():
    assert evaluation.expected_calibration_error([[1.0, 0.0], [1.0, 0.0]], [0, 1]) == 0.5


def test_no_examples_give_nan():
    probs, labels = np.zeros([0, 3]), np.zeros([0], int)
    assert np.isnan(evaluation.accuracy(probs, labels))
    assert np.isnan(evaluation.expected_calibration_error(probs, labels))
    assert evaluation.confusion_matrix(probs, labels).tolist() == np.zeros([3, 3]).tolist()


METRICS = [
    evaluation.accuracy,
    evaluation.confusion_matrix,
    evaluation.expected_calibration_error,
]


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_refuse_what_does_not_match(metric):
    with pytest.raises(ValueError, match=r"one label per row.*probs\.shape=\(4, 2\).*=\(3,\)"):
        metric(PROBS, [0, 1, 1])
    with pytest.raises(ValueError, match=r"one label per row.*probs\.shape=\(4,\)"):
        metric(PROBS[:, 0], [0, 1, 1, 1])
    with pytest.raises(ValueError, match=r"integers in \[0, 2\).*maximum=2"):
        metric(PROBS, [0, 1, 2, 1])
    with pytest.raises(ValueError, match="probs must be finite.*Received: 8 non-finite"):
        metric(PROBS * np.nan, [0, 1, 1, 1])


def test_calibration_needs_a_bin():
    with pytest.raises(ValueError, match="num_bins must be at least 1. Received: num_bins=0"):
        evaluation.expected_calibration_error(PROBS, [0, 1, 1, 1], num_bins=0)
