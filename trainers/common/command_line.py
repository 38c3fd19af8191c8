"""From the command line to a program: flags, help, and errors as one line."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from absl import app, flags, logging

from ..flags.config import config_from_flags, define_flags
from . import interruption


def start(config_class: type, load: Callable[[], Callable[[Any], Any]], doc: str | None) -> None:
    """Parses the flags of a configuration and calls a program with it.

    Help and errors of flags are answered before the program is imported. Errors that a user can fix end
    the program with their message and status 1; --verbosity=1 shows where they came from. Ctrl-C and
    SIGTERM end it with one line that says what is kept, and status 130 or 143.

    Args:
        config_class: Dataclass whose fields are flags.
        load: Imports the program; returns a function that takes the configuration.
        doc: Of the program, for --help.
    """

    def main(argv: list[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"Unknown arguments. Received: {' '.join(argv[1:])}")
        try:
            config: Any = config_from_flags(config_class)
            run = load()
            _quieten()
            with interruption.as_interrupt():
                run(config)
        except KeyboardInterrupt as error:
            interruption.end(error)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            logging.debug("Where it came from:", exc_info=True)
            sys.exit(f"{type(error).__name__}: {error}")

    with interruption.ending_at_once():
        define_flags(config_class)
        for field in dataclasses.fields(config_class):  # Else --help leaves them out.
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[field.name])
        sys.modules["__main__"].__doc__ = doc
        app.run(main, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    """Parses the flags as absl does, but ends --help with status 0."""
    try:
        return flags.FLAGS(argv)
    except flags.Error:
        return app.parse_flags_with_usage(argv)  # Prints the error and ends the program.
    except SystemExit:
        sys.exit(0)


def _quieten() -> None:
    """Hides what TensorFlow says of every checkpoint and asset, unless --verbosity is given."""
    if any(argument.lstrip("-").startswith("verbosity") for argument in sys.argv):
        return
    import tensorflow as tf

    logging.set_verbosity(logging.WARNING)
    tf.get_logger().setLevel("WARNING")
