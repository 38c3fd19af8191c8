"""Environments by name: mazes of our own, and those of gymnasium."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from . import mazes

try:
    import gymnasium
except ImportError:
    from tf_discrete._internal import extras  # Only here: the interpreter of DQN may lack Keras.

    with extras.required("Environments need gymnasium", "rl"):
        raise

NOISE = 0.2
"""Standard deviation of a pixel of a maze, where the agent has 1."""
_CHANGES = {"t_maze": "reverse", "h_maze": "teleport", "ring": "block"}


class MazeEnvironment(gymnasium.Env[np.ndarray, np.int64]):
    """A maze as noisy pictures from above, uint8 [H, W, 1]; actions are up, right, down and left.

    Args:
        before: The maze.
        after: What becomes of it by `change`.
        noise: Standard deviation of a pixel. Default: 0.2.
    """

    metadata = {"render_modes": ["rgb_array"]}
    render_mode = "rgb_array"

    def __init__(self, before: mazes.Maze, after: mazes.Maze, noise: float = NOISE):
        self.maze, self._after, self.noise = before, after, noise
        self.cell: mazes.Cell = before.places["S"]
        height, width = (mazes.PIXELS * size for size in before.cells.shape)
        self.observation_space = gymnasium.spaces.Box(0, 255, (height, width, 1), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(mazes.MOVES))

    def change(self) -> None:
        """Turns the maze into what becomes of it."""
        self.maze = self._after

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.cell = self.maze.places["S"]
        return self._picture(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.cell, reward, end = self.maze.step(self.cell, int(action))
        return self._picture(), reward, end, False, {}

    def render(self) -> np.ndarray:
        return np.repeat(self._picture(), 3, axis=-1)

    def _picture(self) -> np.ndarray:
        pixels = self.maze.picture(self.cell, self.noise, self.np_random)
        # Noise leaves [0, 1]; a quarter of the range is kept for it on either side.
        return np.clip(255 * (0.25 + pixels / 2), 0, 255).astype(np.uint8)[..., np.newaxis]


def names() -> list[str]:
    """Names of the mazes."""
    return list(_CHANGES)


def mazes_of(name: str) -> tuple[mazes.Maze, mazes.Maze]:
    """Returns a maze before and after its change."""
    return mazes.CHANGES[_CHANGES[name]]


def make(name: str) -> gymnasium.Env:
    """Makes an environment.

    Args:
        name: Of a maze, or an id of gymnasium; those that begin with "MiniGrid" are seen as pictures.

    Raises:
        ValueError: No such environment, or one without pictures or numbered actions.
    """
    if name in _CHANGES:
        return MazeEnvironment(*mazes_of(name))
    if ":" in name:  # gymnasium would import what stands before it.
        raise ValueError(
            "The module of an environment is named by --import_module, for it is code. Leave it out of the "
            f"name. Received: environment={name!r}"
        )
    try:
        environment = _of_gymnasium(name)
    except (gymnasium.error.Error, ImportError) as error:
        raise ValueError(
            f"An environment must be one of {', '.join(_CHANGES)}, or known to gymnasium. "
            f"Received: environment={name!r} ({error})"
        ) from error
    observations, actions = environment.observation_space, environment.action_space
    pictures = isinstance(observations, gymnasium.spaces.Box) and len(observations.shape) == 3
    if not pictures or observations.dtype != np.uint8:
        raise ValueError(
            "Observations must be pictures, uint8 [height, width, channels]. Choose another environment, or "
            f"wrap it. Received: environment={name!r} with {observations}"
        )
    if not isinstance(actions, gymnasium.spaces.Discrete) or actions.start != 0:
        raise ValueError(
            "Actions must be numbered from 0 on. Choose another environment, or wrap it. "
            f"Received: environment={name!r} with {actions}"
        )
    return environment


def _of_gymnasium(name: str) -> gymnasium.Env:
    if not name.startswith("MiniGrid"):
        return gymnasium.make(name)
    from tf_discrete._internal import extras

    with extras.required("Environments of MiniGrid need minigrid", "rl"):
        wrappers = importlib.import_module("minigrid.wrappers")  # Registers the environments.
    return wrappers.ImgObsWrapper(wrappers.RGBImgPartialObsWrapper(gymnasium.make(name)))
