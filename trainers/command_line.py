"""From the command line to a trainer's `run`: flags, help, and errors as one line."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import tensorflow as tf
from absl import app, flags, logging

from trainers import interruption
from trainers.config import config_from_flags, define_flags


def start(config_class: type, run: Callable[[Any], Any], doc: str | None) -> None:
    """Parses the flags of a configuration and calls `run` with it.

    Errors that a user can fix end the program with their message and status 1; --verbosity=1 shows
    where they came from. Ctrl-C and SIGTERM end it with one line that says what is kept, and status 130
    or 143.

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
            with interruption.sigterm_as_interrupt():
                run(config_from_flags(config_class))
        except KeyboardInterrupt as error:
            _end_interrupted(error)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            logging.debug("Where it came from:", exc_info=True)
            sys.exit(f"{type(error).__name__}: {error}")

    app.run(main)


def _end_interrupted(error: KeyboardInterrupt) -> NoReturn:
    """Prints what is kept and how to continue, and ends the program with the status of the signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # A second Ctrl-C ends it at once.
    if sys.stderr.isatty():
        print(file=sys.stderr)  # After the progress bar.
    told = str(error) or "Interrupted; every file that was written is whole."
    print(f"{told} Continue with the same command: {interruption.same_command()}", file=sys.stderr)
    sys.exit(getattr(error, "status", interruption.STATUS + signal.SIGINT))
