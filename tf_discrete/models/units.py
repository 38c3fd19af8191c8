"""What the next network reads for a discrete choice: 0 and 1, or -1 and 1."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.types import Tensor

UNITS = ("zero_one", "plus_minus")


def as_units(z: Tensor, units: str) -> tf.Tensor:
    """Draws of 0 and 1, relaxed or not, in the units of a model.

    Example:
        >>> as_units(tf.constant([0.0, 1.0]), "plus_minus").numpy().tolist()
        [-1.0, 1.0]
    """
    return 2.0 * z - 1.0 if units == "plus_minus" else z
