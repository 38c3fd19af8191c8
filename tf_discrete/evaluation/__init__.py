"""What a trained model is worth: use of its codes, and what classifiers read in its images."""

from tf_discrete.evaluation.classification import (
    accuracy,
    confusion_matrix,
    expected_calibration_error,
    predict_probs,
    reconstruction_accuracy,
    train_classifier,
)
from tf_discrete.evaluation.likelihood import Bound, evaluate_bound, importance_weighted_bound
from tf_discrete.evaluation.usage import (
    CodeUsage,
    Usage,
    collect_usage,
    mutual_information,
    perplexity,
)

__all__ = [
    "Bound",
    "CodeUsage",
    "Usage",
    "accuracy",
    "collect_usage",
    "confusion_matrix",
    "evaluate_bound",
    "expected_calibration_error",
    "importance_weighted_bound",
    "mutual_information",
    "perplexity",
    "predict_probs",
    "reconstruction_accuracy",
    "train_classifier",
]
