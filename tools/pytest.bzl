"""A test rule for pytest files."""

load("@rules_python//python:defs.bzl", _py_test = "py_test")

def py_test(name, srcs, **kwargs):
    """Declares a test target that hands its file to pytest.

    Args:
      name: of the target.
      srcs: the test file, alone in a list.
      **kwargs: passed on, `deps` for example.
    """
    _py_test(
        name = name,
        srcs = srcs + ["//tools:pytest_main.py"],
        main = "//tools:pytest_main.py",
        args = ["$(location %s)" % src for src in srcs],
        data = ["//:pyproject.toml"],
        **kwargs
    )
