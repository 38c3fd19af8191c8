"""Likelihoods by name.

A likelihood registers under the name that users type. Adding one is a file and an import line in
`tf_discrete/likelihoods/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tf_discrete._internal.registry import ClassRegistry
from tf_discrete._internal.serialization import check_serializable
from tf_discrete.likelihoods.base import Likelihood
from tf_discrete.types import LikelihoodLike

REGISTRY: ClassRegistry[Likelihood] = ClassRegistry(
    "likelihood",
    Likelihood,
    "tf_discrete.likelihoods",
    "an object, a class or a config of a registered subclass of tf_discrete.likelihoods.Likelihood",
)
_Class = TypeVar("_Class", bound=type[Likelihood])


def names() -> list[str]:
    """Names that `get` takes."""
    return REGISTRY.names()


def register(name: str) -> Callable[[_Class], _Class]:
    """Class decorator: makes a likelihood known by a name, for the flags and `get`, and to Keras.

    Raises:
        ValueError: Another class has the name.
    """
    return REGISTRY.register(name)


def get(identifier: LikelihoodLike, **arguments: Any) -> Likelihood:
    """Returns a likelihood from its name, its class, its config, or itself.

    Args:
        identifier: Name, class, config as Keras serialises it, or an object, which is returned.
        **arguments: Arguments of the constructor, if a name or a class is given.

    Raises:
        ValueError: an unknown name, an object that Keras could not save, or arguments without a taker.

    Example:
        >>> get("bernoulli").parameters_shape((28, 28, 1))
        (28, 28, 1)
    """
    likelihood = REGISTRY.get(identifier, **arguments)
    check_serializable(likelihood, "likelihood")
    return likelihood
