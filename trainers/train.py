"""Trains a task, one of the package or of yours: python -m trainers.train --task=NAME --help.

A task of yours is registered by a module of --import_module.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from absl import flags

from .common import command_line, interruption
from .flags import config_file, names
from .flags.config import config_from_flags, define_flags
from .flags.train import Config


def chosen(arguments: list[str]) -> tuple[type, Callable[[], Callable[[Any], Any]]]:
    """Returns the configuration of the task that a command line names, and what imports it.

    Raises:
        ValueError: Modules that cannot be imported, or an unknown task.
    """
    own = flags.FlagValues()
    define_flags(Config, own)
    config_file.define(own)
    own(arguments, known_only=True)
    config = config_from_flags(Config, own)
    if not config.task and own[config_file.FLAG].value:
        config = dataclasses.replace(config, task=config_file.task(own[config_file.FLAG].value))
    if not config.task:
        return Config, _refuse
    flags.DEFINE_string("task", config.task, Config.__dataclass_fields__["task"].metadata["help"])
    flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS["task"])
    if not config.import_module and config.task in names.TASKS:
        found = importlib.import_module(f".flags.{config.task}", __package__)
        return found.Config, lambda: _load(config.task)
    from .common import trust

    for module in config.import_module:
        trust.import_module(module)
    run = _load(config.task)
    from .common import task

    return task.get(config.task).config_class, lambda: run


def _load(name: str) -> Callable[[Any], Any]:
    """Imports a task, and TensorFlow with it; returns what trains it."""
    from .common import task, training

    found = task.get(name)
    return lambda config: training.run(found, config)


def _refuse() -> NoReturn:
    raise ValueError(
        f"task must be one of {', '.join(names.TASKS)}, or registered by a module of --import_module. Give "
        "--task. Received: task=''"
    )


def cli() -> None:
    """The console script."""
    with interruption.ending_at_once():
        try:
            config_class, load = chosen(sys.argv)
        except flags.Error:
            config_class, load = Config, _refuse  # `start` says what is wrong.
        except (ImportError, OSError, ValueError) as error:
            sys.exit(f"{type(error).__name__}: {error}")
        command_line.start(config_class, load, __doc__)


if __name__ == "__main__":
    cli()
