"""From the command line to a trainer's `run`: flags, help, and errors as one line."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from absl import app, flags, logging

from trainers.config import config_from_flags, define_flags


def start(config_class: type, run: Callable[[Any], Any], doc: str | None) -> None:
    """Parses the flags of a configuration and calls `run` with it.

    Errors that a user can mend end the program with their message and status 1; --verbosity=1 shows
    where they came from.

    Args:
        config_class: dataclass whose fields are flags.
        run: takes the configuration.
        doc: of the trainer, for --help.
    """
    define_flags(config_class)
    for field in dataclasses.fields(config_class):  # Else --help leaves them out.
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[field.name])
    sys.modules["__main__"].__doc__ = doc

    def main(argv: list[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"Unknown arguments. Received: {' '.join(argv[1:])}")
        if not any(argument.lstrip("-").startswith("verbosity") for argument in sys.argv):
            logging.set_verbosity(logging.WARNING)  # TensorFlow tells of every checkpoint
            tf.get_logger().setLevel("WARNING")  # and asset.
        try:
            run(config_from_flags(config_class))
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            logging.debug("Where it came from:", exc_info=True)
            sys.exit(f"{type(error).__name__}: {error}")

    app.run(main)
