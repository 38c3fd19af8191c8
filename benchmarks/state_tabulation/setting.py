"""The options of the comparison, and its contenders."""

from __future__ import annotations

import dataclasses

from trainers.flags.config import option

TRUE, PROJECTION, DQN = "true", "projection", "dqn"
OTHERS = {
    TRUE: "true state (limit)",
    PROJECTION: "random projections",
    DQN: "DQN, stable-baselines3",
}
ESTIMATORS = (
    "gumbel_softmax",
    "straight_through_gumbel_softmax",
    "straight_through",
    "reinmax",
    "disarm",
    "semantic_hashing",
)
"""Estimators of the bits that are compared: any name of one that takes bits may be given."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the comparison."""

    results: str = option("state_tabulation", "Table of benchmarks/results that takes the runs.")
    mazes: tuple[str, ...] = option(("t_maze", "h_maze", "ring"), "Mazes.")
    contenders: tuple[str, ...] = option(
        (TRUE, PROJECTION, *ESTIMATORS, DQN), "Contenders; an estimator stands for VaST with it."
    )
    num_seeds: int = option(5, "Runs of each.", lower=1)
    seed: int = option(0, "The first seed.", lower=0, upper=2**31)
    steps: int = option(10_000, "Steps before the change, and after it.", lower=1)
    dqn_python: str = option(
        "", "Interpreter that has stable-baselines3. Default: DQN is left out.", path=True
    )
