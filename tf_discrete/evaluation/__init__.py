"""Evaluation of trained models: likelihood, use of the codes, and gradient estimates."""

from tf_discrete.evaluation.classification import (
    accuracy,
    confusion_matrix,
    expected_calibration_error,
)
from tf_discrete.evaluation.generation import (
    Generation,
    Score,
    evaluate_generation,
    inception_score,
    slides_inception_score,
)
from tf_discrete.evaluation.gradient_statistics import (
    LayerStatistics,
    Reference,
    pooled_reference,
)
from tf_discrete.evaluation.gradients import (
    GradientProbe,
    count_evaluations,
    exact_reference,
    most_samples,
)
from tf_discrete.evaluation.image_classifiers import (
    cached_classifier,
    predict_probs,
    reconstruction_accuracy,
    train_classifier,
)
from tf_discrete.evaluation.information import mutual_information, perplexity
from tf_discrete.evaluation.likelihood import (
    Bound,
    evaluate_bound,
    importance_weighted_bound,
    samples_at_once,
)
from tf_discrete.evaluation.network_weights import copy_network, network_weights, with_estimator
from tf_discrete.evaluation.reconstruction import Reconstruction, reconstruction_nats
from tf_discrete.evaluation.retrieval import (
    RetrievalScores,
    average_precision,
    evaluate_retrieval,
    precision_at_k,
    recall_at_k,
)
from tf_discrete.evaluation.usage import CodeUsage, Usage, collect_usage

__all__ = [
    "Bound",
    "CodeUsage",
    "Generation",
    "GradientProbe",
    "LayerStatistics",
    "Reconstruction",
    "Reference",
    "RetrievalScores",
    "Score",
    "Usage",
    "accuracy",
    "average_precision",
    "collect_usage",
    "confusion_matrix",
    "copy_network",
    "count_evaluations",
    "evaluate_bound",
    "evaluate_generation",
    "evaluate_retrieval",
    "exact_reference",
    "expected_calibration_error",
    "importance_weighted_bound",
    "inception_score",
    "cached_classifier",
    "most_samples",
    "mutual_information",
    "network_weights",
    "perplexity",
    "pooled_reference",
    "precision_at_k",
    "predict_probs",
    "recall_at_k",
    "reconstruction_accuracy",
    "reconstruction_nats",
    "samples_at_once",
    "slides_inception_score",
    "train_classifier",
    "with_estimator",
]
