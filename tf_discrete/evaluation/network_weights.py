"""The weights of a model's networks, apart from its estimator: by layer, and copied between models."""

from __future__ import annotations

from typing import TypeVar

import keras

from tf_discrete.estimators import Estimator
from tf_discrete.schedules import ScheduledVariable, scheduled_values

_Model = TypeVar("_Model", bound=keras.Model)


def network_weights(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Returns all weights that are neither the estimator's nor scheduled values, counters or metrics.

    Args:
        model: a built `DiscreteModel`.

    Returns:
        weights: by layer, in the order of the model. The layers of a part are numbered from 1,
            "encoder/1", "encoder/2", ...; a weight of the model itself goes by its own name.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((4, 4, 1), num_variables=2, num_categories=3, hidden_units=(5,))
        >>> list(network_weights(model))
        ['encoder/1', 'encoder/2', 'decoder/1', 'decoder/2', 'prior/1']
    """
    found: dict[str, list[keras.Variable]] = {}
    seen: set[int] = set()
    for name, part in vars(model).items():
        if isinstance(part, keras.layers.Layer) and not _is_aside(part):
            layers: dict[int, list[keras.Variable]] = {}
            owner = {
                id(weight): id(layer)
                for layer in part._flatten_layers()
                for weight in layer.weights
            }  # Outer layers come first, so the innermost has the last word.
            seen |= {
                id(weight)
                for layer in part._flatten_layers()
                if _is_aside(layer)
                for weight in layer.weights
            }
            for weight in part.weights:
                if id(weight) in seen:
                    continue
                seen.add(id(weight))
                layers.setdefault(owner[id(weight)], []).append(weight)
            for number, weights in enumerate(layers.values(), 1):
                found[f"{name}/{number}"] = weights
    within = {id(w) for layer in model._flatten_layers(include_self=False) for w in layer.weights}
    for weight in model.weights:
        if id(weight) not in within and keras.backend.is_float_dtype(weight.dtype):
            found[weight.name] = [weight]
    return found


def copy_network(source: keras.Model, target: keras.Model) -> None:
    """Gives one model the weights of another one's networks.

    Args:
        source: a built `DiscreteModel`.
        target: one of the same networks, under whatever estimator.

    Raises:
        ValueError: the networks differ.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> sizes = {"num_variables": 2, "num_categories": 3, "hidden_units": ()}
        >>> source = CategoricalVAE((4, 4, 1), **sizes)
        >>> copy_network(source, CategoricalVAE((4, 4, 1), estimator="reinmax", **sizes))
    """
    mine, theirs = network_weights(source), network_weights(target)
    shapes = [
        {name: [tuple(w.shape) for w in weights] for name, weights in side.items()}
        for side in (mine, theirs)
    ]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "Weights are copied between models of the same networks. Build both from one configuration. "
            f"Received: source={shapes[0]}, target={shapes[1]}"
        )
    for name, weights in mine.items():
        for weight, other in zip(weights, theirs[name], strict=True):
            other.assign(weight)


def with_estimator(model: _Model, estimator: Estimator, num_samples: int | None = None) -> _Model:
    """Returns a new model of the same class, configuration and weights with another estimator.

    ScheduledVariable values of the model itself, such as the weight of the KL, stand where they stood.

    Args:
        model: a built `DiscreteModel`; left as it is.
        estimator: Estimator of the same kind of latents.
        num_samples: Number of samples of the new estimator. Default: the fewest that it takes.

    Raises:
        ValueError: the model does not go with that estimator.

    Example:
        >>> from tf_discrete import estimators
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((4, 4, 1), num_variables=2, num_categories=3, hidden_units=())
        >>> with_estimator(model, estimators.get("vimco")).num_samples
        2
    """
    config = {**model.get_config(), "estimator": estimator, "num_samples": num_samples}
    other = type(model).from_config(config)
    copy_network(model, other)
    layers = getattr(model, "estimators", [model.estimator])
    of_estimator = {id(value) for layer in layers for value in scheduled_values(layer)}
    for name, value in model.scheduled.items():
        if id(value) not in of_estimator:
            other.scheduled[name].variable.assign(value.variable)
    return other


def _is_aside(part: keras.layers.Layer) -> bool:
    return isinstance(part, (Estimator, ScheduledVariable))
