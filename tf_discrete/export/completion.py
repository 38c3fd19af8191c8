"""The signatures of models that complete a part of an observation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import tensorflow as tf

from tf_discrete._internal import integer_checks
from tf_discrete.export.signature import (
    MAX_COUNT,
    SEED,
    Outputs,
    Signature,
    batch_of,
    count,
    limits_of,
    with_limits,
)
from tf_discrete.types import Seed, Tensor

if TYPE_CHECKING:
    from tf_discrete.models import StructuredPrediction


def completion_signatures(model: StructuredPrediction) -> dict[str, Signature]:
    """Returns the signatures of a model with `complete`, `sample`, `encode` and `log_likelihood`.

    - complete: input [B, *data_shape] -> output, the mean at the most probable codes
    - mean: input, num_samples, seed -> output, the mean over draws
    - sample: input, num, seed -> output [B, num, ...], completions
    - encode: input -> codes, int32 [B, N], of all layers
    - encode_probs: input -> probs
    - log_likelihood: input(, output), num_samples, seed -> log_likelihood [B] in nats

    Where x and y are parts of one observation, `input` is the observation, of which only `log_likelihood`
    reads y, and `output` is the completed observation. Else they are x and y.

    Inputs of another shape or outside their limits are refused; `num`, and `num_samples` of `mean`, may be at
    most what the model's `max_decoder_rows` says, `num_samples` of `log_likelihood` at most 10 000.

    Args:
        model: a `StructuredPrediction`.

    Example:
        >>> from tf_discrete.models import StructuredPrediction
        >>> model = StructuredPrediction((8, 8, 1), num_variables=4, num_categories=3)
        >>> signature = completion_signatures(model)["sample"]
        >>> signature.fn(tf.zeros([2, 8, 8, 1]), 5, tf.constant([1, 2]))["output"].shape
        TensorShape([2, 5, 8, 8, 1])
    """
    rows = model.max_decoder_rows()
    given = batch_of("input", model.parts.data_shape)

    def mean(input: Tensor, num_samples: Tensor, seed: Seed) -> Outputs:
        samples = integer_checks.count(num_samples, "num_samples", 1, rows)
        return {"output": model.complete(input, samples, seed)}

    def sample(input: Tensor, num: Tensor, seed: Seed) -> Outputs:
        drawn = model.sample(input, integer_checks.count(num, "num", 0, rows), seed)
        return {"output": tf.transpose(drawn, [1, 0, *range(2, drawn.shape.rank)])}

    def log_likelihood(input: Tensor, num_samples: Tensor, seed: Seed) -> Outputs:
        samples = integer_checks.count(num_samples, "num_samples", 1, MAX_COUNT)
        return {"log_likelihood": model.log_likelihood(input, samples, seed)}

    def log_likelihood_of(
        input: Tensor, output: Tensor, num_samples: Tensor, seed: Seed
    ) -> Outputs:
        samples = integer_checks.count(num_samples, "num_samples", 1, MAX_COUNT)
        return {"log_likelihood": model.log_likelihood((input, output), samples, seed)}

    scored: tuple[tf.TensorSpec, ...] = (given,)
    score: Callable[..., Outputs] = log_likelihood
    if model.parts.output_shape is not None:
        scored, score = (given, batch_of("output", model.parts.output_shape)), log_likelihood_of
    signatures = {
        "complete": Signature(lambda input: {"output": model.complete(input)}, (given,)),
        "mean": Signature(
            mean, (given, count("num_samples"), SEED), limits={"num_samples": (1, rows)}
        ),
        "sample": Signature(sample, (given, count("num"), SEED)),
        "encode": Signature(lambda input: {"codes": model.encode(input)}, (given,)),
        "encode_probs": Signature(lambda input: {"probs": model.encode_probs(input)}, (given,)),
        "log_likelihood": Signature(score, (*scored, count("num_samples"), SEED)),
    }
    limits = {
        **limits_of(model.input_support, "input"),
        **limits_of(model.likelihood.support, "output"),
        "num": (0, rows),
        "num_samples": (1, MAX_COUNT),
    }
    return with_limits(signatures, limits)
