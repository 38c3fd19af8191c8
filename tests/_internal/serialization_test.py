"""Importing the package registers every class that its files are made of, and loads nothing slow."""

from __future__ import annotations

from tests.trainers import small_runs

_IMPORT_ALL = """
import importlib, pkgutil, sys
import keras
import tf_discrete

slow = {"tensorflow_probability", "tensorflow_datasets", "faiss"}
print(*sorted(slow & set(sys.modules)), "loaded", end=" ")

before = set(keras.saving.get_custom_objects())
for module in pkgutil.walk_packages(tf_discrete.__path__, "tf_discrete."):
    importlib.import_module(module.name)
new = sorted(set(keras.saving.get_custom_objects()) - before)
print(len(before), *new)
"""


def test_the_top_import_registers_every_class_and_loads_nothing_slow(tmp_path):
    ended = small_runs.call_fresh("-c", _IMPORT_ALL, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    loaded, count, *late = ended.stdout.split()
    assert loaded == "loaded", f"slow: {ended.stdout}"
    assert int(count) > 30 and not late
