"""`BuiltByConstructor`: layers and models whose constructor creates all weights."""

from __future__ import annotations

from typing import Any

from tf_discrete.types import Shape


class BuiltByConstructor:
    """A mixin for Keras layers and models that `build` has nothing to add to.

    A layer calls `build` at the end of its constructor, since Keras reads the output shape in a summary off
    layers that were built. The config has no entry for it: the constructor does it again.
    """

    def build(self, input_shape: Shape) -> None:
        """Does nothing: the constructor creates all weights."""

    def get_build_config(self) -> Any:
        """None: there is nothing to build when a config is read."""
        return None
