"""The signatures of models that infer a class and a style."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tf_discrete._internal import integer_checks
from tf_discrete.export.signature import (
    MAX_COUNT,
    SEED,
    Limits,
    Outputs,
    Signature,
    batch_of,
    count,
    limits_of,
    with_limits,
)
from tf_discrete.types import Seed, Tensor

if TYPE_CHECKING:
    from tf_discrete.models import SemiSupervisedVAE


def classifier_signatures(model: SemiSupervisedVAE) -> dict[str, Signature]:
    """Returns the signatures of a semi-supervised model.

    - classify: image [B, *data_shape] -> probs [B, K]
    - encode: image -> label, int32 [B], the most probable class, and style [B, D], the mean of q(z | x, y)
    - generate: label, style -> image, the mean of p(x | y, z)
    - log_likelihood: image, num_samples, seed -> log_likelihood [B], the importance-weighted bound
      of log p(x) in nats

    Inputs of another shape or outside their limits are refused; `num_samples` may be at most 10 000.

    Args:
        model: with `data_shape`, `likelihood`, `num_classes`, `style_size` and methods of these names.

    Example:
        >>> from tf_discrete.models import SemiSupervisedVAE
        >>> model = SemiSupervisedVAE((8, 8, 1), num_classes=10, hidden_units=(16,))
        >>> classifier_signatures(model)["classify"].fn(tf.ones([5, 8, 8, 1]))["probs"].shape
        TensorShape([5, 10])
    """
    limits: dict[str, Limits] = {"num_samples": (1, MAX_COUNT), "label": (0, model.num_classes - 1)}
    if model.feature_extractor is None:  # Else the likelihood is that of features.
        limits.update(limits_of(model.likelihood.support, "image"))
    image = batch_of("image", model.data_shape)

    def encode(image: Tensor) -> Outputs:
        label, style = model.encode(image)
        return {"label": label, "style": style}

    def log_likelihood(image: Tensor, num_samples: Tensor, seed: Seed) -> Outputs:
        samples = integer_checks.count(num_samples, "num_samples", 1, MAX_COUNT)
        return {"log_likelihood": model.log_likelihood(image, samples, seed)}

    signatures = {
        "classify": Signature(lambda image: {"probs": model.classify(image)}, (image,)),
        "encode": Signature(encode, (image,)),
        "generate": Signature(
            lambda label, style: {"image": model.generate(label, style)},
            (batch_of("label", [], tf.int32), batch_of("style", [model.style_size])),
        ),
        "log_likelihood": Signature(log_likelihood, (image, count("num_samples"), SEED)),
    }
    return with_limits(signatures, limits)
