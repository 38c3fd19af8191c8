"""An extra that is missing is named with what needs it."""

import importlib
import pathlib
import re

import pytest

from tf_discrete._internal import extras

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_extra_and_the_reason_are_named():
    message = (
        r"^Tea needs water\. Install it: pip install 'tf-discrete\[kettle\]', or drink milk\. "
        r"Received: No module named 'no_such_package'$"
    )
    with pytest.raises(ImportError, match=message) as caught:
        with extras.required("Tea needs water", "kettle", ", or drink milk"):
            importlib.import_module("no_such_package")
    assert isinstance(caught.value.__cause__, ImportError)


def test_other_errors_pass():
    with pytest.raises(KeyError, match="other"), extras.required("Tea needs water", "kettle"):
        raise KeyError("other")


def test_every_extra_that_an_error_names_is_one():
    declared = re.findall(r'^    "(\w+)": ', (ROOT / "setup.py").read_text(encoding="utf-8"), re.M)
    named = {
        name
        for folder in ("tf_discrete", "trainers", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for listed in re.findall(r"tf-discrete\[([\w,]+)\]", path.read_text(encoding="utf-8"))
        + re.findall(r'extras\.required\("[^"]*", "(\w+)"', path.read_text(encoding="utf-8"))
        for name in listed.split(",")
    }
    assert {"parquet", "stores", "beam"} <= named <= set(declared)
