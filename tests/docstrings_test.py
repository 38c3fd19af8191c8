"""The `>>>` examples: that the test run collects all of them, and that they are there."""

import doctest
import importlib
import inspect
import pathlib
import pkgutil

import pytest

import tf_discrete
import trainers

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(tf_discrete.__path__, "tf_discrete.")
)


def examples(thing):
    return [e for test in doctest.DocTestFinder(recurse=False).find(thing) for e in test.examples]


def test_the_test_run_collects_the_examples(pytestconfig):
    """They run as tests of their own, one for each docstring, in the names of their module."""
    assert pytestconfig.getoption("doctestmodules")
    assert "tf_discrete" in pytestconfig.getini("testpaths")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_and_public_name_says_what_it_is(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for key, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == name and not key.startswith("_")
        if own and (inspect.isclass(thing) or inspect.isfunction(thing)):
            assert thing.__doc__, f"{name}.{key}"


PROGRAMS = pathlib.Path(trainers.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("trainers", *path.relative_to(PROGRAMS).with_suffix("").parts))
    for path in PROGRAMS.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_the_programs_run(name):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=options)
    assert tried and not failed
