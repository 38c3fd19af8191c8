"""The unit in which a model of states reads pixels."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ..flags.state_tabulation import Config

NUMBERS = 10_000
"""Number of values in an image at which pixel_scale is 1."""


def with_scale(config: Config, environment: Any) -> Config:
    """Returns a configuration whose pixel_scale is chosen: 0.1, or more where pictures are large.

    A step of Adam moves all weights of a hidden unit, and its sum by up to the learning rate times the sum of
    the numbers that it reads. Where that is far above 1 the units are at 0 for every picture after a few
    steps, and all pictures have one code. So the unit of pixels grows with the numbers of a picture.

    Args:
        config: Of the run; a pixel_scale above 0 stays.
        environment: With pictures as observations.

    Example:
        >>> import types
        >>> pictures = types.SimpleNamespace(shape=(56, 56, 3))
        >>> with_scale(Config(), types.SimpleNamespace(observation_space=pictures)).pixel_scale
        0.9408
    """
    if config.pixel_scale:
        return config
    numbers = math.prod(environment.observation_space.shape)
    return dataclasses.replace(config, pixel_scale=max(0.1, numbers / NUMBERS))


def scale_of(config: Config) -> float:
    """Returns the factor of a pixel that the model reads, of a configuration whose unit is chosen.

    The noise of a pixel is the unit. In a smaller one the networks, which start with outputs near 1, do not
    learn to use the bits.
    """
    return 1 / (255.0 * config.pixel_scale)
