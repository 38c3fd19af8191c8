"""When an agent explores, its model learns and its environment changes: functions of the round and the step.

Nothing here needs TensorFlow, so that agents of other libraries live by the same rules.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..flags.state_tabulation import Config
else:
    Config = Any


def number_of(config: Config) -> int:
    """Returns the rounds of a run."""
    return math.ceil(config.steps / config.train_every)


def changed_at(config: Config) -> float:
    """Returns the step, with which a round begins, at which the environment changes; infinity for never."""
    rounds = math.ceil(config.change_at / config.train_every)
    return rounds * config.train_every if rounds else math.inf


def exploration(config: Config, step: int) -> float:
    """Returns the probability of a random action at a step of a run."""
    after = step - config.burn_in
    if after < 0:
        return 1.0
    left = 1 - after / config.exploration_steps if config.exploration_steps else 0.0
    return max(config.exploration, left)


def learns(config: Config, number: int) -> bool:
    """Returns whether the model learns at the end of a round, which has a number from 0 on."""
    first = max(0, math.ceil(config.burn_in / config.train_every) - 1)
    return number >= first and (not config.train_rounds or number < first + config.train_rounds)


def check(config: Config) -> None:
    """Refuses numbers with which the agent never acts on what it has learned, or no window is as long.

    Raises:
        ValueError: Names the flags.
    """
    steps = number_of(config) * config.train_every
    if config.burn_in > steps - config.train_every:
        raise ValueError(
            "After the steps with random actions there must be a round in which the agent acts on what was "
            f"learned. Lower burn_in, or raise steps. Received: burn_in={config.burn_in}, "
            f"steps={config.steps}, train_every={config.train_every}"
        )
    longest = min(config.episode_steps, config.train_every) + 1
    if config.window > min(longest, config.memory):
        raise ValueError(
            "A window must fit into an episode, a round and the memory. Lower window. Received: "
            f"window={config.window}, episode_steps={config.episode_steps}, "
            f"train_every={config.train_every}, memory={config.memory}"
        )
