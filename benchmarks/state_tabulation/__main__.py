"""How fast does an agent learn a maze from pictures, and learn it again after a change? Tables of states.

    python -m benchmarks.state_tabulation --dqn_python=OTHER/bin/python

Variational state tabulation with several estimators of its bits, next to the same agent on the true state
(the limit) and on the signs of random projections of the picture (the control of the paper), and to DQN of
stable-baselines3 in an interpreter that has it. Reported over the seeds: the steps until the agent has 90 %
of the best return, the steps until it has it again after the maze has changed, and the states in its table.

Each run is a record in benchmarks/results as soon as it is done; the same command goes on where it was
stopped.
"""

from __future__ import annotations

from typing import Any

from benchmarks.state_tabulation import setting
from trainers.common import command_line


def load() -> Any:
    """Imports the study."""
    from benchmarks.state_tabulation import study

    return study.run


if __name__ == "__main__":
    command_line.start(setting.Config, load, __doc__)
