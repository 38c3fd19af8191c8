"""Command line programs that train, evaluate and export the models of tf_discrete.

Installed, this package is `tf_discrete_trainers`: `trainers` may be a package of the user. In a checkout it
has both names, so that a module of a user imports `tf_discrete_trainers` in either case.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

INSTALLED = "tf_discrete_trainers"
"""The name of this package in the wheel."""


class _SameModule(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `tf_discrete_trainers.x` as the module `trainers.x`: one registry of tasks, not two."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] != INSTALLED:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(__name__ + spec.name.removeprefix(INSTALLED))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state  # The import has put the new one there.


if __name__ == "trainers" and INSTALLED not in sys.modules:
    sys.meta_path.insert(0, _SameModule())
