"""The importance-weighted bound of the log-likelihood, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks, concurrent_calls, fusion, integer_checks
from tf_discrete._internal.batch_image import image_of
from tf_discrete._internal.mean_and_error import mean_and_error
from tf_discrete.types import Batch, Inputs, Seed, Tensor

if TYPE_CHECKING:
    from tf_discrete.models import DiscreteModel

LogWeightsFn = Callable[[Inputs, int | Tensor, Seed], Tensor]

MAX_CHUNK = 100
"""Most samples of an example that are drawn at once."""
MAX_ROWS = 2_000
"""Most samples times examples in an evaluation: the cache of a processor holds what more would not fit."""


def importance_weighted_bound(
    log_weights_fn: LogWeightsFn,
    x: Tensor,
    num_samples: int | Tensor,
    seed: Seed,
    chunk: int | Tensor = 100,
) -> tf.Tensor:
    """Computes log mean_s w_s for S samples of each example, [B], in nats.

    The samples are drawn `chunk` at a time, each chunk with a seed of its own, and folded into the
    batch by `log_weights_fn`; a running log-sum-exp holds what went before.

    Args:
        log_weights_fn: (x, S, seed) -> log p(x, z) - log q(z | x), [S, B].
        x: float [B, ...], or whatever `log_weights_fn` takes.
        num_samples: S >= 1; an int32 scalar tensor in a served model.
        seed: int32 [2].
        chunk: samples at once.

    Raises:
        ValueError: num_samples or chunk is no whole number of at least 1;
            tf.errors.InvalidArgumentError for a tensor of a graph.

    Example:
        >>> def log_weights(x, num_samples, seed):
        ...     return tf.random.stateless_normal([num_samples, len(x)], seed)
        >>> importance_weighted_bound(log_weights, tf.ones([5, 2]), 1000, seeds.base(0)).shape
        TensorShape([5])

    Reference:
        Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2015. arXiv:1509.00519.
    """
    num_samples = integer_checks.count(num_samples, "num_samples", lowest=1)
    chunk = integer_checks.count(chunk, "chunk", lowest=1)
    static = isinstance(num_samples, int) and isinstance(chunk, int)
    chunk = min(chunk, num_samples) if static else tf.minimum(chunk, num_samples)
    chunks, rest = num_samples // chunk, num_samples % chunk

    def log_sum(samples: int | Tensor, *purpose: str | int | Tensor) -> tf.Tensor:
        log_weights = log_weights_fn(x, samples, seeds.fold(seed, *purpose))
        return tf.reduce_logsumexp(log_weights, axis=0)

    def body(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return index + 1, _log_add_exp(total, log_sum(chunk, index))

    total = log_sum(chunk, 0)
    if not static or chunks > 1:
        _, total = tf.while_loop(
            lambda index, _: index < chunks,
            body,
            (tf.constant(1), total),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
            parallel_iterations=1,
        )
    if not static or rest:  # The log-sum of no samples is -inf, and adds nothing.
        total = _log_add_exp(total, log_sum(rest, "rest"))
    return total - tf.math.log(tf.cast(num_samples, total.dtype))


def samples_at_once(x: Tensor, rows: int) -> int | tf.Tensor:
    """Returns how many samples of each example of a batch fit into `rows`: from 1 to `MAX_CHUNK`.

    Args:
        x: float [B, ...], or a tuple of such tensors.
        rows: samples times examples.

    Returns:
        chunk: an int where B is known when the graph is built, else an int32 scalar.

    Example:
        >>> samples_at_once(tf.ones([50, 4]), rows=2000)
        40
    """
    first = tf.convert_to_tensor(keras.tree.flatten(x)[0])
    if first.shape[0] is not None:
        return max(1, min(MAX_CHUNK, rows // max(1, first.shape[0])))
    return tf.clip_by_value(rows // tf.maximum(tf.shape(first)[0], 1), 1, MAX_CHUNK)


def _log_add_exp(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_logsumexp(tf.stack([a, b]), axis=0)


class Bound(NamedTuple):
    """The bound over a data set.

    Attributes:
        mean_nats: the average over examples of the bound of log p(x).
        standard_error_nats: Standard error of that average, over examples.
        num_examples: Number of examples.
        num_samples: m of the bound.
    """

    mean_nats: float
    standard_error_nats: float
    num_examples: int
    num_samples: int


def evaluate_bound(
    model: DiscreteModel,
    batches: Iterable[Batch],
    num_samples: int,
    seed: int = 0,
    rows: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Bound:
    """Computes the importance-weighted bound of a model over a data set.

    Args:
        model: with `log_weights` and `max_decoder_rows`.
        batches: elements with `image`, as `datasets.Split.batches` gives them, or what `log_weights`
            takes.
        num_samples: m.
        seed: Seed of the samples; each batch gets one of its own.
        rows: decoder rows held in memory by each of the evaluations that run at once (one for each core, at
            most four), of as many samples of each example as the bound allows and of as many examples of
            a batch as then fit. Default: `MAX_ROWS`, fewer if the model's `max_decoder_rows` says so.
        progress: called after each batch with the number of its examples.

    Raises:
        ValueError: no examples, observations that the model refuses, see `DiscreteModel.check_observations`,
            or a model whose `log_weights` are not one for each sample and example.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((4, 4, 1), num_variables=2, num_categories=3, hidden_units=())
        >>> bound = evaluate_bound(model, [tf.ones([5, 4, 4, 1])], num_samples=10)
        >>> bound.num_examples, bound.num_samples
        (5, 10)
    """
    checks.having("model", model, ("log_weights", "max_decoder_rows"), "a DiscreteModel")
    num_samples, seed = checks.whole("num_samples", num_samples), checks.seed("seed", seed)
    if rows is None:
        rows = min(MAX_ROWS, model.max_decoder_rows())
    rows = checks.whole("rows", rows)
    chunk = min(num_samples, MAX_CHUNK, rows)

    @tf.function(reduce_retracing=True, autograph=False)
    def bound(x: Tensor, part_seed: tf.Tensor) -> tf.Tensor:
        return importance_weighted_bound(model.log_weights, x, num_samples, part_seed, chunk)

    def parts() -> Iterator[tuple[Tensor, tf.Tensor, int, int]]:
        """Yields examples, their seed, their number and how many of a batch end with them."""
        for index, batch in enumerate(batches):
            x = image_of(batch)
            if hasattr(model, "check_observations"):
                x = model.check_observations(x)
            size = len(keras.tree.flatten(x)[0])
            batch_seed = seeds.fold(seeds.base(seed), "bound", index)
            for start in range(0, max(size, 1), rows // chunk):
                part = slice(start, min(size, start + rows // chunk))
                some = keras.tree.map_structure(lambda values, part=part: values[part], x)
                ended = size if part.stop == size else 0
                yield some, seeds.fold(batch_seed, start), part.stop - part.start, ended

    def evaluate(part: tuple[Tensor, tf.Tensor, int, int]) -> tuple[np.ndarray, int]:
        some, part_seed, count, ended = part
        with fusion.enabled():
            found = bound(some, part_seed).numpy()
        if found.shape != (count,):
            raise ValueError(
                "log_weights must return [num_samples, B], one value for each sample and example. "
                f"Received: bounds of shape {found.shape} for {count} examples"
            )
        return found, ended

    values: list[np.ndarray] = []
    for found, ended in concurrent_calls.in_order(evaluate, parts()):
        values.append(found)
        if progress is not None and ended:
            progress(ended)
    everything = np.concatenate(values or [np.zeros([0])]).astype(np.float64)
    if not len(everything):
        raise ValueError(
            "There must be at least one example to average over. "
            f"Received: {len(values)} batches without examples"
        )
    return Bound(*mean_and_error(everything), len(everything), num_samples)
