"""Importing the package registers every class that its files are made of."""

from __future__ import annotations

from tests.trainers import small_runs

_IMPORT_ALL = """
import importlib, pkgutil
import keras
import tf_discrete

before = set(keras.saving.get_custom_objects())
for module in pkgutil.walk_packages(tf_discrete.__path__, "tf_discrete."):
    importlib.import_module(module.name)
new = sorted(set(keras.saving.get_custom_objects()) - before)
print(len(before), *new)
"""


def test_the_top_import_registers_every_class(tmp_path):
    ended = small_runs.call_fresh("-c", _IMPORT_ALL, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    count, *late = ended.stdout.split()
    assert int(count) > 30 and not late
