"""Several stochastic layers in a row, each with an estimator of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.estimators import base, reductions
from tf_discrete.types import Estimate, Reduction, Seed, Tensor

Latents = tuple[Tensor, ...]
LogitsFn = Callable[[Latents], Tensor]
LayersObjectiveFn = Callable[[Latents, Latents], Tensor]


def nested_estimate(
    layers: Sequence[base.Estimator],
    logits_fn: LogitsFn,
    objective_fn: LayersObjectiveFn,
    seed: Seed | None,
    num_samples: int,
    *,
    noise: Tensor | None = None,
    reduce: Reduction = reductions.mean,
    context: Tensor | None = None,
    training: bool = False,
) -> Estimate:
    """Estimates E[f(z_1, ..., z_L)] for z_1 ~ q(z_1), z_2 ~ q(z_2 | z_1), ... with its gradient.

    Each estimator's objective is the estimate of the layers below it. All noise of a layer comes from
    one seed, so every evaluation that an outer estimator makes sees the same. Each sample of the first
    layer has one of every other. An estimator with `mean_field_control` is given the objective of a pass
    without noise, in which the layers below it take their means.

    Args:
        layers: the estimators, from the first layer to the last.
        logits_fn: maps the samples of the layers before, (z_1, ..., z_{l-1}), to the logits of layer l:
            [B, N_1(, K)] for none, else [*A, N_l(, K)] for samples [*A, N(, K)].
        objective_fn: maps all samples and all logits to values of the axes of the last sample, [*A]. An
            earlier draw may lack leading axes of the last, and broadcasts against it.
        seed: int32 [2].
        num_samples: S, of the first layer.
        noise: Of the first layer, instead of noise from `seed`. Default: None.
        reduce: `mean` or `log_mean_exp`, over the samples.
        context: float [B, D], for a learned baseline of the first layer. Default: the probabilities of
            the layer, which the other layers use always.
        training: As in `Estimator.estimate`.

    Raises:
        ValueError: a reduction or a number of samples that a layer does not take.

    Example:
        >>> from tf_discrete import estimators
        >>> first, second = (estimators.get("gumbel_softmax") for _ in range(2))
        >>> estimate = nested_estimate(
        ...     [first, second],
        ...     lambda before: before[0] if before else tf.zeros([5, 2, 3]),
        ...     lambda z, logits: tf.reduce_sum(z[0] * z[1], axis=[-2, -1]),
        ...     seeds.base(0),
        ...     num_samples=4,
        ... )
        >>> estimate.value.shape
        TensorShape([5])
    """
    # Under the mean the inner samples are left to the outer layer, which every estimator takes.
    inner_reduce = None if reduce is reductions.mean else reduce

    def estimate(depth: int, before: Latents, logits_before: Latents) -> Estimate:
        layer, logits = layers[depth], logits_fn(before)
        drawn = noise if depth == 0 else None
        if drawn is None:
            own = None if seed is None else seeds.fold(seed, "layer", depth)
            drawn = layer.draw_noise(own, logits, None if depth else num_samples)

        def below(z: Tensor) -> tf.Tensor | Estimate:
            draws = (*(_aligned(earlier, z) for earlier in before), z)
            all_logits = tuple(_aligned(one, z) for one in (*logits_before, logits))
            if depth + 1 < len(layers):
                return estimate(depth + 1, draws, all_logits)
            return objective_fn(draws, all_logits)

        def mean_field(z: Tensor) -> Tensor:
            """f where each layer below takes the mean of its distribution in the place of a sample."""
            values = (*(_aligned(earlier, z) for earlier in before), z)
            all_logits = tuple(_aligned(one, z) for one in (*logits_before, logits))
            for deeper in layers[depth + 1 :]:
                all_logits = (*all_logits, logits_fn(values))
                values = (*values, deeper.distribution(all_logits[-1]).probs)
            return objective_fn(values, all_logits)

        has_control = layer.mean_field_control and depth + 1 < len(layers)
        return layer.estimate(
            below,
            logits,
            drawn,
            reduce=inner_reduce if depth else reduce,
            context=None if depth else context,
            control_fn=mean_field if has_control else None,
            training=training,
        )

    return estimate(0, (), ())


def check_nested(
    layers: Sequence[base.Estimator], num_samples: int, reduce: Reduction = reductions.mean
) -> None:
    """Refuses estimators that cannot stand in the layers of `nested_estimate`.

    Raises:
        ValueError: too few samples for a layer, or a reduction that a layer does not take.
    """
    for depth, layer in enumerate(layers):
        try:
            layer.check(num_samples, reduce)
        except ValueError as error:
            place = f"Layer {depth + 1} of {len(layers)}: " if len(layers) > 1 else ""
            raise ValueError(f"{place}{error}") from error


def _aligned(earlier: Tensor, z: Tensor) -> Tensor:
    """An earlier layer's [S, *B, ...], repeated where z [P * S, *B, ...] are P variants of each sample."""
    if earlier.shape.rank != z.shape.rank or earlier.shape[0] in (None, z.shape[0]):
        return earlier
    return tf.tile(earlier, [z.shape[0] // earlier.shape[0]] + [1] * (z.shape.rank - 1))
