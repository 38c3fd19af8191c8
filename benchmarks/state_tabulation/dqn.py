"""DQN on a maze, in an interpreter that has stable-baselines3 and gymnasium; TensorFlow is not needed.

    python -m benchmarks.state_tabulation.dqn SETTINGS.json

prints the discounted return without exploration after each round, as JSON.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import numpy as np

from trainers.tabulation import environments


def returns(settings: dict[str, Any]) -> list[float]:
    """Trains an agent, and returns the mean return of a few episodes after each round of steps."""
    dqn: Any = importlib.import_module("stable_baselines3").DQN
    wrappers: Any = importlib.import_module("gymnasium.wrappers")
    environment: Any = environments.make(settings["environment"])
    limited = wrappers.TimeLimit(environment, settings["episode_steps"])
    rounds = settings["steps"] // settings["train_every"]
    agent = dqn(
        "MlpPolicy",
        limited,
        learning_rate=settings["learning_rate"],
        buffer_size=settings["memory"],
        learning_starts=settings["burn_in"],
        batch_size=settings["batch_size"],
        gamma=settings["discount"],
        train_freq=1,
        target_update_interval=500,
        exploration_fraction=(settings["burn_in"] + settings["exploration_steps"])
        / settings["steps"],
        exploration_final_eps=settings["exploration"],
        policy_kwargs={"net_arch": list(settings["hidden_units"])},
        seed=settings["seed"],
        device="cpu",
    )
    seen: Any = environments.make(settings["environment"])
    found = []
    for number in range(rounds):
        if settings["change_at"] and number * settings["train_every"] >= settings["change_at"]:
            environment.change()
            seen.change()
        done = agent.num_timesteps
        agent.learn(
            (number + 1) * settings["train_every"] - done,
            reset_num_timesteps=number == 0,
            progress_bar=False,
        )
        found.append(mean_return(agent, seen, settings, number))
    return found


def mean_return(agent: Any, environment: Any, settings: dict[str, Any], number: int) -> float:
    """Discounted return of episodes without exploration."""
    total = 0.0
    for episode in range(settings["evaluation_episodes"]):
        x, _ = environment.reset(seed=1000 * number + episode)
        for age in range(settings["episode_steps"]):
            action, _ = agent.predict(x, deterministic=True)
            x, reward, ended, _, _ = environment.step(int(np.asarray(action).reshape(-1)[0]))
            total += settings["discount"] ** age * float(reward)
            if ended:
                break
    return total / settings["evaluation_episodes"]


if __name__ == "__main__":
    print(json.dumps(returns(json.loads(pathlib.Path(sys.argv[1]).read_text()))))
