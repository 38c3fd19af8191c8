"""What a trained model is worth: use of its codes, and what classifiers read in its images."""

from tf_discrete.evaluation.classification import (
    accuracy,
    confusion_matrix,
    expected_calibration_error,
    predict_probs,
    reconstruction_accuracy,
    train_classifier,
)
from tf_discrete.evaluation.usage import CodeUsage, Usage, mutual_information, perplexity

__all__ = [
    "CodeUsage",
    "Usage",
    "accuracy",
    "confusion_matrix",
    "expected_calibration_error",
    "mutual_information",
    "perplexity",
    "predict_probs",
    "reconstruction_accuracy",
    "train_classifier",
]
