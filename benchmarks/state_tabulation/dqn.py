"""DQN on a maze, in an interpreter that has stable-baselines3 and gymnasium; TensorFlow is not needed.

    python -m benchmarks.state_tabulation.dqn SETTINGS.json

prints the discounted return without exploration after each round, as JSON. Exploration, the change of the
maze, the memory, the unit of the pixels and the evaluation are those of the agents with a table.
"""

from __future__ import annotations

import importlib
import json
import math
import pathlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np

from trainers.tabulation import environments, rounds


def returns(settings: Any) -> list[float]:
    """Trains an agent, and returns the mean return of a few episodes after each round of steps."""
    library: Any = importlib.import_module("stable_baselines3")
    environment: Any = environments.make(settings.environment)
    seen: Any = environments.make(settings.environment)
    agent = library.DQN(
        "MlpPolicy",
        gymnasium.wrappers.TimeLimit(scaled(environment, settings), settings.episode_steps),
        learning_rate=settings.learning_rate,
        buffer_size=settings.memory,
        learning_starts=settings.burn_in,
        batch_size=settings.batch_size,
        gamma=settings.discount,
        train_freq=1,
        target_update_interval=500,
        policy_kwargs={"net_arch": list(settings.hidden_units)},
        seed=settings.seed,
        device="cpu",
    )
    explore(agent, settings)
    found: list[float] = []

    def after_step() -> bool:
        if agent.num_timesteps % settings.train_every == 0:
            found.append(mean_return(agent, scaled(seen, settings), settings, len(found)))
            if agent.num_timesteps >= rounds.changed_at(settings):
                environment.change()
                seen.change()
        return True

    agent.learn(
        rounds.number_of(settings) * settings.train_every, callback=_callback(library, after_step)
    )
    return found


def explore(agent: Any, settings: Any) -> None:
    """Lets an agent of stable-baselines3 explore as long as ours, whatever the length of its training."""
    agent.exploration_schedule = lambda progress: rounds.exploration(settings, agent.num_timesteps)


def scaled(environment: Any, settings: Any) -> Any:
    """The environment with pictures in the unit of their noise, float32."""
    space = environment.observation_space
    return gymnasium.wrappers.TransformObservation(
        environment,
        lambda x: (x / (255.0 * settings.pixel_scale)).astype(np.float32),
        gymnasium.spaces.Box(0.0, math.inf, space.shape, np.float32),
    )


def mean_return(agent: Any, environment: Any, settings: Any, number: int) -> float:
    """Discounted return of episodes without exploration."""
    total = 0.0
    draw = np.random.default_rng([settings.seed, number, 1])
    for episode in range(settings.evaluation_episodes):
        seed = int(draw.integers(2**31)) if episode == 0 else None
        x, _ = environment.reset(seed=seed)
        for age in range(settings.episode_steps):
            action, _ = agent.predict(x, deterministic=True)
            x, reward, ended, _, _ = environment.step(int(np.asarray(action).reshape(-1)[0]))
            total += settings.discount**age * float(reward)
            if ended:
                break
    return total / settings.evaluation_episodes


def _callback(library: Any, after_step: Callable[[], bool]) -> Any:
    base: Any = library.common.callbacks.BaseCallback

    class EachStep(base):
        def _on_step(self) -> bool:
            return after_step()

    return EachStep()


if __name__ == "__main__":
    given = json.loads(pathlib.Path(sys.argv[1]).read_text())
    print(json.dumps(returns(SimpleNamespace(**given))))
