"""`Registry`: what users name by a word. `ClassRegistry`: classes of which they may also give an object."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NoReturn, TypeVar

import keras

from tf_discrete._internal import checks
from tf_discrete._internal.serialization import deserialize

Entry = TypeVar("Entry")
Object = TypeVar("Object")
_Decorated = TypeVar("_Decorated")


class Registry(Generic[Entry]):
    """Entries by name.

    Args:
        what: What an entry is, such as "estimator", for messages.
        others: What may be given in place of a name, for messages. Default: nothing.
    """

    def __init__(self, what: str, others: str = ""):
        self.what, self.others = what, others
        self._entries: dict[str, Entry] = {}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def names(self) -> list[str]:
        """Returns the registered names, sorted."""
        return sorted(self._entries)

    def items(self) -> list[tuple[str, Entry]]:
        """Names and entries, in the order of registration."""
        return list(self._entries.items())

    def add(self, name: str, entry: Entry) -> None:
        """Registers an entry.

        Raises:
            ValueError: No name, or one that another entry has.
        """
        if not isinstance(name, str) or not name:
            checks.refuse("name", f"a word that names {self._one}", name)
        known = self._entries.get(name)
        if known is not None and _origin(known) != _origin(entry):
            raise ValueError(
                f"The name of {self._one} must be new. Choose another. "
                f"Received: name={name!r}, registered for {_shown(known)}"
            )
        self._entries[name] = entry

    def register(self, name: str) -> Callable[[_Decorated], _Decorated]:
        """Decorator: registers a class or function."""

        def decorate(entry: Any) -> Any:
            self.add(name, entry)
            return entry

        return decorate

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Forgets at its end what was registered inside it: for tests and examples."""
        before = self.items()
        try:
            yield
        finally:
            self._entries.clear()
            self._entries.update(before)

    def entry(self, name: Any, argument: str | None = None) -> Entry:
        """Returns the entry of a name.

        Args:
            name: Of an entry.
            argument: What messages call it. Default: what an entry is.

        Raises:
            ValueError: Unknown; the message lists the names, the nearest first.
        """
        if name not in self:
            self.refuse(name, argument)
        return self._entries[name]

    def refuse(self, identifier: object, argument: str | None = None) -> NoReturn:
        """Raises the error for what is neither a name nor anything else that may be given."""
        near: list[str] = []
        if isinstance(identifier, str):
            near = difflib.get_close_matches(identifier, self._entries, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        others = f", or {self.others}" if self.others else ""
        argument = argument or self.what
        raise ValueError(
            f"{argument} must be one of {', '.join(self.names())}{others}.{hint} "
            f"Received: {argument}={checks.shown(identifier)}"
        )

    @property
    def _one(self) -> str:
        return f"{'an' if self.what[0] in 'aeiou' else 'a'} {self.what}"


class ClassRegistry(Registry[type[Object]]):
    """Classes by name, and objects from a name, a number, a class, a config or an object.

    Args:
        what: What an object is, such as "estimator", for messages.
        base: Class of the objects that `get` takes as they are.
        package: Under which Keras finds the classes again in saved files.
        others: What may be given in place of a name, for messages.
    """

    def __init__(self, what: str, base: type[Object], package: str, others: str):
        super().__init__(what, others)
        self.base, self.package = base, package
        self._of_number: Any = None

    def add(self, name: str, entry: type[Object]) -> None:
        """Registers a class, and with Keras too, unless it is there."""
        super().add(name, entry)
        self._tell_keras(entry)

    def takes_number(self, cls: _Decorated) -> _Decorated:
        """Class decorator: `get` makes an object of a plain number, the only argument.

        A class that takes no number above some size in magnitude says so in its attribute `largest`.
        """
        self._tell_keras(cls)
        self._of_number = cls
        return cls

    def _tell_keras(self, entry: object) -> None:
        if keras.saving.get_registered_object(keras.saving.get_registered_name(entry)) is not entry:
            keras.saving.register_keras_serializable(self.package)(entry)

    def get(self, identifier: Any, argument: str | None = None, /, **arguments: Any) -> Object:
        """Returns an object.

        Args:
            identifier: A name, a class, a config as Keras serialises it, or an object, which is returned.
            argument: What messages call it. Default: what an object is.
            **arguments: Of the constructor, for a name or a class.

        Raises:
            ValueError: Anything else, or arguments that have no taker.
        """
        argument = argument or self.what
        if isinstance(identifier, dict) and "class_name" in identifier:
            identifier = self._alone(deserialize(argument, identifier), arguments)
        if isinstance(identifier, self.base):
            return self._alone(identifier, arguments)
        number = checks.plain(identifier) if self._of_number else None
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            largest = getattr(self._of_number, "largest", math.inf)
            number = checks.number(argument, number, lowest=-largest, highest=largest)
            return self._of_number(number, **arguments)
        is_class = isinstance(identifier, type) and issubclass(identifier, self.base)
        cls = identifier if is_class else self.entry(identifier, argument)
        try:
            return cls(**arguments)
        except (TypeError, ValueError) as error:
            if isinstance(error, ValueError) and "Unrecognized keyword" not in str(error):
                raise
            raise ValueError(
                f"{cls.__name__} does not take these arguments; see help({cls.__module__}.{cls.__name__}). "
                f"Received: {arguments} ({error})"
            ) from error

    def _alone(self, given: Any, arguments: Mapping[str, object]) -> Any:
        if arguments:
            raise ValueError(
                f"{self._one.capitalize()} that is an object or a config takes no further arguments. Set "
                f"them where it is made. Received: {self.what}={checks.shown(given)}, {arguments}"
            )
        return given


def _origin(entry: object) -> object:
    """Returns what stays the same when a module is read again, as in notebooks and by `python -m`."""
    return getattr(entry, "__qualname__", entry)


def _shown(entry: object) -> str:
    return (
        f"{entry.__module__}.{entry.__qualname__}"
        if hasattr(entry, "__qualname__")
        else repr(entry)
    )
