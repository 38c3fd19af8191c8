"""Runs pytest on the files named on the command line: the entry point of every Bazel test."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-c", "pyproject.toml", "--rootdir=.", *sys.argv[1:]]))
