from __future__ import annotations

import dataclasses
import sys

import pytest
from absl import app, flags, logging

from trainers.common import command_line
from trainers.flags import config
from trainers.saved_runs import search


@dataclasses.dataclass(frozen=True)
class Settings:
    """One flag."""

    command_line_number: int = config.option(3, "A number.", lower=1)


@pytest.fixture
def start(monkeypatch):
    """Starts a program with a command line; `run` is given the configuration."""
    monkeypatch.setattr(sys.modules["__main__"], "__doc__", None)
    verbosity = logging.get_verbosity()

    def run_program(run, *words):
        def parse_and_run(main, flags_parser):
            flags.FLAGS.unparse_flags()
            main(flags_parser(["program", *words]))

        monkeypatch.setattr(app, "run", parse_and_run)
        command_line.start(Settings, lambda: run, "What it does.")

    yield run_program
    delattr(flags.FLAGS, "command_line_number")
    flags.FLAGS.unparse_flags()
    logging.set_verbosity(verbosity)


def test_the_configuration_reaches_the_program(start):
    seen = []
    start(seen.append, "--command_line_number=7")
    assert seen == [Settings(7)]
    assert sys.modules["__main__"].__doc__ == "What it does."
    keys = flags.FLAGS.get_key_flags_for_module(sys.argv[0])
    assert "command_line_number" in [flag.name for flag in keys]


def test_other_words_are_refused(start):
    with pytest.raises(app.UsageError, match="Unknown arguments. Received: dynamic epochs=3"):
        start(lambda settings: None, "dynamic", "epochs=3")


@pytest.mark.parametrize("kind", [ImportError, OSError, RuntimeError, ValueError])
def test_errors_that_a_user_can_mend_are_one_line(start, kind):
    def run(settings):
        raise kind("The rule. The remedy.")

    with pytest.raises(SystemExit) as caught:
        start(run)
    assert caught.value.code == f"{kind.__name__}: The rule. The remedy."


def test_values_out_of_range_too(start):
    with pytest.raises(SystemExit) as caught:
        start(lambda settings: None, "--command_line_number=0")
    assert caught.value.code == (
        "ValueError: command_line_number must be at least 1. Received: command_line_number=0"
    )


def test_errors_of_the_program_show_where_they_come_from(start):
    with pytest.raises(ZeroDivisionError):
        start(lambda settings: 1 / 0)


@dataclasses.dataclass(frozen=True)
class Names:
    """One flag, as the queries of trainers.search are given."""

    command_line_names: tuple[str, ...] = config.option((), "Names.", repeated=True, path=True)


def test_a_comma_in_a_name_is_written_in_quotes(tmp_path, monkeypatch):
    config.define_flags(Names)
    try:
        words = ['--command_line_names="a, b.png",c.png', "--command_line_names=d.png"]
        flags.FLAGS.unparse_flags()
        flags.FLAGS(["program", *words])
        names = config.config_from_flags(Names).command_line_names
    finally:
        delattr(flags.FLAGS, "command_line_names")
        flags.FLAGS.unparse_flags()
    assert names == ("a, b.png", "c.png", "d.png")
    monkeypatch.chdir(tmp_path)
    for name in names:
        (tmp_path / name).touch()
    search.check_queries(names)
    with pytest.raises(ValueError, match=r"comma goes in double quotes.*Received: 'a' of query="):
        search.check_queries(("a", " b.png"))
