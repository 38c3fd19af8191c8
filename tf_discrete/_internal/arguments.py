"""Converts and checks the arguments of the constructors of layers and models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import keras

from tf_discrete import distributions, estimators
from tf_discrete._internal import checks
from tf_discrete._internal.serialization import deserialize
from tf_discrete.estimators import registry
from tf_discrete.schedules import Schedule, ScheduledVariable
from tf_discrete.types import ActivationLike, EstimatorLike, PerLayer, ScheduleLike

_T = TypeVar("_T")

PRIORS = ("uniform", "learned")
"""Priors that models take, unless they have others."""


def estimator(
    identifier: EstimatorLike, latents: str, temperature: ScheduleLike | None = None
) -> estimators.Estimator:
    """Returns an estimator by name, class, config or object.

    Args:
        identifier: see `tf_discrete.estimators.get`.
        latents: Kind of latents, see `tf_discrete.distributions.names()`; must be that of an estimator
            object.
        temperature: Float or schedule for an estimator given by name; None for its own default.

    Raises:
        ValueError: a temperature that has no taker, or other latents.
    """
    kind = distributions.get(latents)
    if isinstance(identifier, dict) and "class_name" in identifier:
        identifier = deserialize("estimator", identifier)
    _check_estimator(identifier)
    arguments: dict[str, Any] = {}
    if isinstance(identifier, (str, type)):
        cls: Any = estimators.get_class(identifier) if isinstance(identifier, str) else identifier
        arguments["latents"] = latents
        if temperature is not None:
            if "temperature" not in estimators.arguments(cls):
                raise ValueError(
                    f"{cls.__name__} has no temperature; leave it out. "
                    f"Received: temperature={temperature!r}"
                )
            arguments["temperature"] = temperature
    elif temperature is not None:
        raise ValueError(
            "temperature goes with an estimator given by name; set it in your estimator object. "
            f"Received: temperature={temperature!r}, estimator={identifier!r}"
        )
    made = estimators.get(identifier, **arguments)
    if made.kind is not kind:
        raise ValueError(
            "The estimator and its holder must have the same kind of latents. Give both the same latents=. "
            f"Received: latents={latents!r}, estimator.latents={made.latents!r}"
        )
    return made


def num_layers(value: int | None, *per_layer_values: object) -> int:
    """How many stochastic layers a model has: `value`, or as many as the first sequence has values, or 1.

    Example:
        >>> num_layers(None, 20, (0.5, 1.0)), num_layers(None, 20), num_layers(3, 20)
        (2, 1, 3)
    """
    if value is not None:
        return checks.whole("num_layers", value)
    # An empty sequence is refused by `per_layer`, under its own name.
    lengths = (len(one) for one in per_layer_values if isinstance(one, (list, tuple)) and one)
    return next(lengths, 1)


def per_layer(name: str, value: PerLayer[_T], num_layers: int) -> list[_T]:
    """Returns an argument of one value for all layers, or of a sequence of one for each, as a list.

    Raises:
        ValueError: a sequence of another length.
    """
    if not isinstance(value, (list, tuple)):
        return [cast(_T, value)] * num_layers
    if len(value) != num_layers:
        raise ValueError(
            f"{name} must be one for all layers, or one for each of the {num_layers}. "
            f"Received: {name}={value!r}"
        )
    return list(value)


def shared(values: Sequence[_T]) -> PerLayer[_T]:
    """Returns the one value of all layers, or a list of one for each; what `per_layer` takes.

    Example:
        >>> shared([20, 20]), shared([20, 10])
        (20, [20, 10])
    """
    return values[0] if all(value == values[0] for value in values) else list(values)


def layer_estimators(
    identifier: PerLayer[EstimatorLike],
    latents: str,
    temperature: PerLayer[ScheduleLike | None],
    num_layers: int,
) -> list[estimators.Estimator]:
    """One estimator for each layer, none of them twice: what they learn is their own.

    Args:
        identifier: as for `estimator`, for all layers, or a sequence of one for each.
        latents: Kind of latents, see `tf_discrete.distributions.names()`.
        temperature: Float or schedule, or a sequence of one for each layer; None for the default.
        num_layers: L.

    Raises:
        ValueError: As `estimator`; sequences of another length.
    """
    found: list[estimators.Estimator] = []
    identifiers: list[EstimatorLike] = per_layer("estimator", identifier, num_layers)
    temperatures: list[ScheduleLike | None] = per_layer("temperature", temperature, num_layers)
    for one, own in zip(identifiers, temperatures, strict=True):
        made = estimator(one, latents, own)
        if any(made is other for other in found):
            made = type(made).from_config(made.get_config())
        found.append(made)
    return found


def num_samples(value: int | None, layers: Sequence[estimators.Estimator]) -> int:
    """Returns how many samples a model draws: `value`, or the fewest that all its estimators take.

    Raises:
        ValueError: no whole number of at least 1.
    """
    if value is None:
        return max(layer.min_samples for layer in layers)
    return checks.whole("num_samples", value)


def hidden_units(value: Sequence[int], name: str = "hidden_units") -> tuple[int, ...]:
    """Returns the widths of a network's hidden layers; there may be none."""
    return checks.sizes(name, value, each="layer")


def activation(value: ActivationLike) -> ActivationLike:
    """The activation of a network as it was given: a name, a config or a function that Keras knows."""
    checks.keras_part("activation", value, keras.activations.get)
    return value


def pathwise_estimator(
    identifier: EstimatorLike, latents: str, temperature: ScheduleLike | None = None
) -> estimators.PathwiseEstimator:
    """Returns an estimator that a layer can hold: as `estimator`, but a score estimator is refused."""
    if isinstance(identifier, (str, type)):
        _check_pathwise(
            estimators.get_class(identifier) if isinstance(identifier, str) else identifier, latents
        )
    made: Any = estimator(identifier, latents, temperature)
    _check_pathwise(type(made), latents)
    return made


def scheduled_weight(name: str, weight: ScheduleLike, otherwise: str = "") -> ScheduledVariable:
    """Returns a weight in a loss as a scheduled value.

    Raises:
        ValueError: a weight that is negative at some step; `otherwise` ends the remedy.
    """
    scheduled = ScheduledVariable(weight, name=name)
    if isinstance(scheduled.schedule, Schedule) and scheduled.schedule.lowest() < 0:
        raise ValueError(
            f"{name} must not be negative at any step. Give a number >= 0, a schedule that stays "
            f"there{otherwise}. Received: {name}={scheduled.schedule.lowest()}"
        )
    return scheduled


def _check_estimator(identifier: object) -> None:
    """Refuses what is neither a registered name nor an estimator, its class or its config."""
    if isinstance(identifier, str):
        estimators.get_class(identifier)
        return
    registry.refuse_layer(identifier)
    cls = isinstance(identifier, type) and issubclass(identifier, estimators.Estimator)
    if not (cls or isinstance(identifier, estimators.Estimator)):
        rule = "a registered name, an Estimator, its class or its config"
        checks.refuse("estimator", rule, identifier)


def _check_pathwise(cls: object, latents: str) -> None:
    if isinstance(cls, type) and issubclass(cls, estimators.ScoreEstimator):
        raise ValueError(
            "A layer needs an estimator whose draw carries the gradient; a score estimator must see the "
            "objective. Use it in a model, such as tf_discrete.models.CategoricalVAE(estimator=...), or "
            f"give the layer one of {', '.join(estimators.names('pathwise', latents))}. "
            f"Received: estimator={cls.__name__}"
        )
