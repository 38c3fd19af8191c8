"""The `>>>` examples: that the test run collects all of them, and that they are there."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import tf_discrete

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
