"""Configurations that runs have written."""

from __future__ import annotations

import dataclasses
import os
import typing
from typing import Any, TypeVar

from tf_discrete._internal import reading

from ..flags import names
from ..flags.config import check
from .run_directory import CONFIG, CONFIG_REMEDY, RunDirectory

Config = TypeVar("Config")


def load(config_class: type[Config], path: str | os.PathLike[str]) -> Config:
    """Reads a configuration that a run has written.

    Raises:
        DamagedFileError: The file is no configuration of this class, or holds values that it refuses.
        FileNotFoundError: There is no such file.
    """
    stored = reading.read_json(path, CONFIG, CONFIG_REMEDY)
    for fact in names.FACTS:
        stored.pop(fact, None)
    fields = {field.name for field in dataclasses.fields(config_class)}  # type: ignore[arg-type]
    unknown = sorted(set(stored) - fields)
    if unknown:
        raise ValueError(
            f"{os.fspath(path)} holds fields that {config_class.__name__} does not have. Was it "
            f"written by another trainer or version? Received: {', '.join(unknown)[:200]!r}"
        )
    return from_stored(config_class, stored, path)


def from_stored(
    config_class: type[Config], stored: dict[str, Any], path: str | os.PathLike[str]
) -> Config:
    """Makes a configuration of the fields of its class among those that a file holds.

    Args:
        config_class: Dataclass of options.
        stored: What the file holds.
        path: The file, for messages.

    Raises:
        DamagedFileError: A value has another type than its field, or is out of range.
    """
    hints = typing.get_type_hints(config_class)
    with reading.reading(path, CONFIG, CONFIG_REMEDY):
        values = {
            name: tuple(stored[name]) if isinstance(stored[name], list) else stored[name]
            for name in hints
            if name in stored
        }
        config = config_class(**values)
        check(config)
    return config


def as_begun(config: Config, directory: RunDirectory, name: str, automatic: Any) -> Config:
    """Returns a configuration whose field, where it is chosen automatically, has the value of an earlier run.

    A command that leaves such a flag out so continues its run when the automatic choice has changed.

    Args:
        config: Dataclass of options.
        directory: Of a run that may have begun.
        name: Of the field.
        automatic: Value of the field that stands for an automatic choice.

    Raises:
        DamagedFileError: The value of the run has another type than its field, or is out of range.
    """
    if getattr(config, name) != automatic or not directory.config_path.exists():
        return config
    begun = dataclasses.replace(config, **{name: directory.config().get(name, automatic)})  # type: ignore[type-var]
    with reading.reading(directory.config_path, CONFIG, CONFIG_REMEDY):
        check(begun)
    return begun
