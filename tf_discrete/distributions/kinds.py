"""The registry of the kinds of discrete latents."""

from __future__ import annotations

from typing import TypeVar

from tf_discrete._internal.registry import Registry
from tf_discrete.distributions.discrete import Discrete

REGISTRY: Registry[type[Discrete]] = Registry("kind of latents")
_Kind = TypeVar("_Kind", bound=type[Discrete])


def register(cls: _Kind) -> _Kind:
    """Class decorator: makes a kind of latents known by its attribute `latents`.

    Raises:
        ValueError: Another class has the name.
    """
    REGISTRY.add(cls.latents, cls)
    return cls


def names(interface: type = Discrete) -> tuple[str, ...]:
    """Returns the names of the registered kinds that implement an interface, in the order of registration.

    Kinds that need parameters, such as "tree:8,8", are left out.

    Args:
        interface: `Discrete`, or `tf_discrete.distributions.Relaxable`. Default: `Discrete`.

    Example:
        >>> names()
        ('categorical', 'bernoulli')
    """
    return tuple(
        name
        for name, cls in REGISTRY.items()
        if issubclass(cls, interface) and not cls.takes_parameters
    )


def get(latents: str) -> type[Discrete]:
    """Returns the class of a kind of latents, such as "categorical", "bernoulli" or "tree:32,32".

    Raises:
        ValueError: No kind has the name, and the message lists all; or the parameters are wrong.
    """
    name, parameters = latents, ""
    if isinstance(latents, str):
        name, _, parameters = latents.partition(":")
    return REGISTRY.entry(name, "latents").with_parameters(parameters)
