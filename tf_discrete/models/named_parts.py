"""Names for the layers in a layer's lists, so that checkpoints hold them."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def name_parts(layer: keras.layers.Layer, **lists: Sequence[keras.layers.Layer]) -> None:
    """Gives each item of a layer's lists a name of its own: checkpoints of TensorFlow skip Keras' lists."""
    for name, parts in lists.items():
        for number, part in enumerate(parts, 1):
            setattr(layer, f"{name}_{number}", part)
