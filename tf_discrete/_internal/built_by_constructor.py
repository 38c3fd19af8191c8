"""`BuiltByConstructor`: layers and models whose constructor creates all weights."""

from __future__ import annotations

from typing import Any

from tf_discrete._internal import dtype_policies
from tf_discrete.types import Shape


class BuiltByConstructor:
    """A mixin for Keras layers and models that `build` has nothing to add to.

    A layer calls `build` at the end of its constructor, since Keras reads the output shape in a summary off
    layers that were built. The config has no entry for it: the constructor does it again. What it makes
    has the dtype policy that it is given as `dtype`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            init = dtype_policies.given_to_parts(vars(cls)["__init__"])
            cls.__init__ = init  # type: ignore[method-assign]

    def build(self, input_shape: Shape) -> None:
        """Does nothing: the constructor creates all weights."""

    def get_build_config(self) -> Any:
        """None: there is nothing to build when a config is read."""
        return None
