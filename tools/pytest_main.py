"""Runs pytest on the files named on the command line: the entry point of every Bazel test."""

import sys

import pytest

if __name__ == "__main__":
    # A test under Bazel starts in a tree that holds only its declared files: no pyproject.toml.
    options = ["-c", "/dev/null", "--rootdir=.", "--import-mode=importlib"]
    sys.exit(pytest.main([*options, *sys.argv[1:]]))
