"""From the command line to a program: flags, help, and errors as one line."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Any

from absl import app, flags, logging

from ..flags import config_file
from ..flags import help as flag_help
from ..flags.config import config_from_flags, define_flags
from . import interruption

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_HELP = frozenset({"--help", "-help", "-?", "--?"})


def start(config_class: type, load: Callable[[], Callable[[Any], Any]], doc: str | None) -> None:
    """Parses the flags of a configuration and calls a program with it.

    Help and errors of flags are answered before the program is imported. Errors that a user can fix end
    the program with their message and status 1; --verbosity=1 shows where they came from. Ctrl-C and
    SIGTERM end it with one line that says what is kept, and status 130 or 143. What TensorFlow says of
    processors and drivers is silenced unless --verbosity, or TF_CPP_MIN_LOG_LEVEL below 3, is given.

    Args:
        config_class: Dataclass whose fields are flags.
        load: Imports the program; returns a function that takes the configuration.
        doc: Of the program, for --help.
    """

    def main(argv: list[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"Unknown arguments. Received: {' '.join(argv[1:])}")
        try:
            if path := flags.FLAGS[config_file.FLAG].value:
                config_file.set_defaults(config_class, path)
            config: Any = config_from_flags(config_class)
            run = _loaded(load)
            with interruption.as_interrupt():
                run(config)
        except KeyboardInterrupt as error:
            interruption.end(error)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            logging.debug("Where it came from:", exc_info=True)
            sys.exit(f"{type(error).__name__}: {error}")

    with interruption.ending_at_once():
        define_flags(config_class)
        if config_file.FLAG not in flags.FLAGS:
            config_file.define()
        others = [flag.name for flag in flags.FLAGS.get_key_flags_for_module(sys.argv[0])]
        shown = [config_file.FLAG, *(field.name for field in dataclasses.fields(config_class))]
        for name in shown:  # Else --helpshort leaves them out.
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
        sys.modules["__main__"].__doc__ = doc
        others = [config_file.FLAG, *(name for name in others if name not in shown)]
        app.run(main, flags_parser=lambda argv: _parse(argv, doc, config_class, others))


def _parse(argv: list[str], doc: str | None, config_class: type, others: list[str]) -> list[str]:
    """Parses the flags as absl does, but answers --help by groups, with status 0."""
    if _HELP.intersection(argv[1:]):
        print(flag_help.text(doc, config_class, others))
        sys.exit(0)
    try:
        return flags.FLAGS(argv)
    except flags.Error:
        return app.parse_flags_with_usage(argv)  # Prints the error and ends the program.
    except SystemExit:
        sys.exit(0)


def _loaded(load: Callable[[], Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Imports a program, and TensorFlow with it, without what that says of processors and drivers.

    Later, what it says of every checkpoint and asset is hidden. --verbosity shows all of it, and
    TF_CPP_MIN_LOG_LEVEL below 3 what it asks for; at 3, TensorFlow itself would still print some of it.
    """
    if any(argument.lstrip("-").startswith("verbosity") for argument in sys.argv):
        return load()
    asked = os.environ.setdefault(_LEVEL, "3") != "3"
    with contextlib.nullcontext() if asked else interruption.silenced():
        run = load()
        import tensorflow as tf

        tf.config.list_physical_devices()  # It looks for drivers now, and not later.
    logging.set_verbosity(logging.WARNING)
    tf.get_logger().setLevel("WARNING")
    return run
