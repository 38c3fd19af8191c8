"""Quantisers that are made of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.serialization import check_serializable, deserialize
from tf_discrete.layers.quantizers.base import Quantizer
from tf_discrete.layers.quantizers.vector import VectorQuantizer
from tf_discrete.types import Config


class CompositeQuantizer(Quantizer):
    """Base class of quantisers that are made of several others with as many categories each.

    Args:
        parts: Sequence of `Quantizer` objects.
        **kwargs: see `Quantizer`.

    Raises:
        ValueError: No parts, a part that is not a `Quantizer`, parts with different numbers of categories, or
            one with a loss_weight.
    """

    def __init__(self, parts: Sequence[Quantizer], **kwargs: Any):
        super().__init__(**kwargs)
        for part in parts:
            checks.instance("parts", part, Quantizer, "quantisers of tf_discrete.layers.quantizers")
            if part.loss_weight != 1.0:
                raise ValueError(
                    "The loss of a part has no weight of its own. Give loss_weight to the whole. "
                    f"Received: loss_weight={part.loss_weight} of {part.name!r}"
                )
        sizes = sorted({part.num_categories for part in parts})
        if len(sizes) != 1:
            raise ValueError(
                "All quantisers must have as many categories. Give the same num_categories to each. "
                f"Received: num_categories={sizes}"
            )
        self.parts = list(parts)
        for number, part in enumerate(self.parts, 1):
            setattr(self, f"part_{number}", part)  # Checkpoints of TensorFlow skip lists.

    @property
    def has_loss(self) -> bool:  # type: ignore[override]
        return any(part.has_loss for part in self.parts)

    @property
    def num_categories(self) -> int:
        return self.parts[0].num_categories

    @property
    def wide(self) -> tf.DType:
        """Returns the dtype of the parts."""
        return self.parts[0].wide


def copies(name: str, quantizer: object, count: int) -> list[Quantizer]:
    """Returns quantisers of one configuration, each with a name and a seed of its own.

    Args:
        name: Name of the argument, for messages.
        quantizer: `Quantizer` object, of which only the configuration is used, or its config.
        count: Int >= 1.

    Raises:
        ValueError: No quantiser, or one that cannot be saved.
    """
    if isinstance(quantizer, dict) and "class_name" in quantizer:
        quantizer = deserialize(name, quantizer)
    found = checks.instance(
        name, quantizer, Quantizer, "a quantiser of tf_discrete.layers.quantizers"
    )
    made = []
    for number in range(count):
        config = found.get_config()
        if number:
            config["name"] = f"{config['name']}_{number}"
        if "seed" in config:
            config["seed"] = (config["seed"] + number) % 2**63
        made.append(type(found).from_config(config))
    check_serializable(made[0], name)
    return made


def config_of(part: Quantizer) -> Config:
    """Returns the config of a quantiser, the same before and after it was built."""
    config: Config = keras.saving.serialize_keras_object(part)
    return {key: value for key, value in config.items() if key != "build_config"}


def default() -> Quantizer:
    """Returns the quantiser that composites use if they are given none."""
    return VectorQuantizer()
