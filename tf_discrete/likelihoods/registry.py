"""Likelihoods by name.

A likelihood registers under the name that users type. Adding one is a file and an import line in
`tf_discrete/likelihoods/__init__.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from tf_discrete import checks
from tf_discrete.likelihoods.base import Likelihood
from tf_discrete.serialization import check_serializable, deserialize

_NAMES: dict[str, type[Likelihood]] = {}
_Class = TypeVar("_Class", bound=type[Likelihood])


def names() -> list[str]:
    """Names that `get` takes."""
    return sorted(_NAMES)


def register(name: str) -> Callable[[_Class], _Class]:
    """Class decorator: makes a likelihood known by a name, for the flags and `get`.

    The class is registered with Keras too. Made from its name, it is built without arguments.
    """

    def decorate(cls: _Class) -> _Class:
        known = _NAMES.get(name)
        if known is not None and known.__qualname__ != cls.__qualname__:
            raise ValueError(
                "A likelihood's name must be new. Choose another. "
                f"Received: name={name!r}, registered for {known.__qualname__}"
            )
        keras.saving.register_keras_serializable("tf_discrete.likelihoods")(cls)
        _NAMES[name] = cls
        return cls

    return decorate


def get(identifier: Any) -> Likelihood:
    """A likelihood from its name, its config, or itself.

    Raises:
        ValueError: an unknown name, or an object that Keras could not save.

    Example:
        >>> get("bernoulli").parameters_shape((28, 28, 1))
        (28, 28, 1)
    """
    if isinstance(identifier, str) and identifier in _NAMES:
        return _NAMES[identifier]()
    if isinstance(identifier, dict):
        identifier = deserialize("likelihood", identifier)
    if not isinstance(identifier, Likelihood):
        near = difflib.get_close_matches(str(identifier), _NAMES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"Unknown likelihood.{hint} A likelihood is one of {', '.join(names())}, or an object of a "
            "registered subclass of tf_discrete.likelihoods.Likelihood. "
            f"Received: likelihood={checks.shown(identifier)}"
        )
    check_serializable(identifier, "likelihood")
    return identifier
