"""The Python rules that Bazel brings along, under the name of the rules_python repository."""

py_binary = native.py_binary
py_library = native.py_library
py_test = native.py_test
