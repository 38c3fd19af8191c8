"""The registry that the flag, the layers, the tests and the tables read.

An estimator registers under the name that users type. Adding one is a file, an import line in
`tf_discrete/estimators/__init__.py` and its BUILD target.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from tf_discrete._internal import checks
from tf_discrete._internal.registry import ClassRegistry
from tf_discrete.estimators.base import Estimator
from tf_discrete.types import Config, EstimatorLike

REGISTRY: ClassRegistry[Estimator] = ClassRegistry(
    "estimator", Estimator, "tf_discrete.estimators", "an Estimator, its class or its config"
)
_Class = TypeVar("_Class", bound=type[Estimator])


def register(name: str) -> Callable[[_Class], _Class]:
    """Class decorator: makes an estimator known by `name`, and to Keras' serialisation.

    Raises:
        ValueError: Another class has the name.
    """

    def decorate(cls: _Class) -> _Class:
        REGISTRY.add(name, cls)
        cls.registered_name = name
        return cls

    return decorate


def names(family: str | None = None, latents: str | None = None) -> list[str]:
    """Returns the names of the registered estimators, sorted.

    Args:
        family: "pathwise" or "score", or both.
        latents: "categorical" or "bernoulli", or any.

    Example:
        >>> "reinmax" in names(family="pathwise")
        True
    """
    return sorted(
        name
        for name, cls in REGISTRY.items()
        if (family is None or cls.family == family) and (latents is None or cls.spec.takes(latents))
    )


def get_class(name: str) -> type[Estimator]:
    """Returns the class registered under a name.

    Raises:
        ValueError: for an unknown name; the message lists the known ones and the nearest.

    Example:
        >>> get_class("reinmax").__name__
        'ReinMax'
    """
    return REGISTRY.entry(name)


def arguments(cls: type[Estimator]) -> list[str]:
    """Returns the names of the arguments that an estimator's constructor takes.

    Example:
        >>> arguments(get_class("gumbel_softmax"))
        ['temperature', 'latents']
    """
    return [name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs")]


def get(identifier: EstimatorLike, **arguments: Any) -> Estimator:
    """Returns an estimator from a name, a class, a config, or an estimator.

    Args:
        identifier: Name, class, config as `serialize` makes it, or an instance (returned as it is).
        **arguments: Arguments of the constructor, if a name or a class is given.

    Raises:
        ValueError: an unknown name, no estimator, or arguments that have no taker.

    Example:
        >>> get("gumbel_softmax", temperature=0.5).latents
        'categorical'
    """
    refuse_layer(identifier)
    return REGISTRY.get(identifier, **arguments)


def refuse_layer(identifier: object) -> None:
    """Refuses a Keras layer, or its class, in the place of an estimator.

    Raises:
        TypeError: Names the estimator of the same name, if there is one.
    """
    cls = identifier if isinstance(identifier, type) else type(identifier)
    if issubclass(cls, Estimator) or not issubclass(cls, keras.layers.Layer):
        return
    name = cls.__name__
    same = next((known for known, other in REGISTRY.items() if other.__name__ == name), None)
    remedy = f"Give {same!r} or tf_discrete.estimators.{name}(...)"
    if same is None:
        remedy = (
            "Give one of tf_discrete.estimators.names(), or an object of tf_discrete.estimators"
        )
    raise TypeError(
        f"estimator must be an estimator, and {name} is a layer. {remedy}. "
        f"Received: estimator={checks.shown(identifier)}"
    )


def serialize(estimator: Estimator) -> Config:
    """Returns the config of an estimator, as JSON takes it; `get` makes the estimator of it again.

    Example:
        >>> get(serialize(get("gumbel_softmax", temperature=0.5))).latents
        'categorical'
    """
    return keras.saving.serialize_keras_object(estimator)


deserialize = get
