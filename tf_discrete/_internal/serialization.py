"""Refuses, when an object is built, what could not be saved later."""

from __future__ import annotations

from typing import Any

import keras

from tf_discrete._internal import checks


def check_serializable(thing: object, argument: str) -> None:
    """Checks that a layer, model or likelihood can be written to a `.keras` file and read again.

    Args:
        thing: a Keras layer or model, or an object of a registered class.
        argument: the name under which the user gave it, for the message.

    Raises:
        ValueError: a lambda, or a class or function that is not registered with Keras.
    """
    if isinstance(thing, keras.layers.Layer):
        for layer in thing._flatten_layers():
            _check_class(type(layer), argument)
            if isinstance(layer, keras.layers.Lambda):
                _check_function(layer.function, argument)
            activation = getattr(layer, "activation", None)
            if callable(activation) and not isinstance(activation, keras.layers.Layer):
                _check_function(activation, argument)
    elif callable(thing) and not hasattr(thing, "get_config"):
        _check_function(thing, argument)
    else:
        _check_class(type(thing), argument)


def deserialize(argument: str, config: object) -> Any:
    """Makes the object of a Keras config that was given as an argument.

    Args:
        argument: Name of the argument, for the message.
        config: Dictionary, as `keras.saving.serialize_keras_object` returns it.

    Raises:
        ValueError: The config describes no object.
    """
    try:
        return keras.saving.deserialize_keras_object(config)
    except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{argument} must be the config of an object, as keras.saving.serialize_keras_object "
            f"returns it. Import its module first. Received: {argument}={checks.shown(config)} ({error})"
        ) from error


def _check_class(cls: type, argument: str) -> None:
    if cls.__module__.split(".")[0] != "keras" and not _registered(cls):
        _refuse(cls.__name__, argument)


def _check_function(function: object, argument: str) -> None:
    module = getattr(function, "__module__", None) or ""
    if module.split(".")[0] != "keras" and not _registered(function):
        _refuse(getattr(function, "__name__", repr(function)), argument)


def _registered(thing: object) -> bool:
    return keras.saving.get_registered_object(keras.saving.get_registered_name(thing)) is thing


def _refuse(name: str, argument: str) -> None:
    raise ValueError(
        f"{argument} must be made of classes and functions that Keras can save. Decorate yours with "
        "@keras.saving.register_keras_serializable(package='yours') at the top of a module; a lambda "
        f"cannot be saved. Received: {argument} with {name!r}"
    )
