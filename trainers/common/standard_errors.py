"""Standard errors of the results of a run, over independent examples."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tf_discrete._internal.mean_and_error import mean_and_error
from tf_discrete.models import DiscreteModel
from tf_discrete.types import Batch, MaskedTerm

ERROR = "_standard_error"
"""Part of the names of standard errors, see `error_name`."""


def share_error(share: float, count: int) -> float:
    """Returns the standard error of a share of independent examples.

    Example:
        >>> round(share_error(0.9, 100), 3)
        0.03
    """
    return math.sqrt(share * (1 - share) / count)


def error_name(name: str) -> str:
    """Returns the name of the standard error of a result.

    Example:
        >>> error_name("test/elbo_nats"), error_name("accuracy")
        ('test/elbo_standard_error_nats', 'accuracy_standard_error')
    """
    stem, nats = (name[:-5], "_nats") if name.endswith("_nats") else (name, "")
    return f"{stem}{ERROR}{nats}"


def with_error(name: str, values: ArrayLike) -> dict[str, float]:
    """Returns the mean of a result over examples, with its standard error where there are two or more."""
    mean, error = mean_and_error(values)
    return {name: mean} | ({error_name(name): error} if math.isfinite(error) else {})


def term_errors(model: DiscreteModel, batches: Iterable[Batch]) -> dict[str, float]:
    """Computes the standard errors over examples of what `model.evaluate` returns.

    On one device the samples are those of `model.evaluate`. With --distribute=mirrored they are others:
    there each replica has a seed of its own, and here the first one has all examples.

    Args:
        model: Trained.
        batches: Those that `model.evaluate` reads.

    Returns:
        Floats in the units of the terms, by `error_name`; without terms of a whole batch and those of a
        single example.

    Raises:
        ValueError: A batch that the model cannot read.
    """
    terms = tf.function(model.evaluation_terms, reduce_retracing=True, autograph=False)
    found: dict[str, list[np.ndarray]] = {}
    for number, batch in enumerate(batches):
        for name, term in terms(batch, tf.constant(number, tf.int64)).items():
            values = term
            if isinstance(term, MaskedTerm):
                values = tf.boolean_mask(term.values, term.weights > 0)
            if values.shape.rank:  # Not a regulariser of a whole batch.
                found.setdefault(name, []).append(values.numpy())
    errors = {
        error_name(name): mean_and_error(np.concatenate(values))[1]
        for name, values in found.items()
        if sum(map(len, values)) > 1
    }
    return {name: error for name, error in errors.items() if math.isfinite(error)}
