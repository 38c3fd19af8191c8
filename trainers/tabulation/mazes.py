"""Mazes that are seen as noisy pictures, and what becomes of them."""

from __future__ import annotations

import dataclasses

import numpy as np

Cell = tuple[int, int]
"""Row and column."""
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Actions: up, right, down, left."""
PIXELS = 2
"""Height and width of a cell, in pixels."""


@dataclasses.dataclass
class Maze:
    """A maze in which a step into a closed cell changes nothing.

    Args:
        plan: Rows of cells. "#" is a closed cell, "." an open one, "S" the start, and letters are open cells
            with a name.
        rewards: Rewards of the exits by name; an exit ends the episode.
        teleporters: Name to name: a step onto the first cell ends on the second.
        closed: Names of cells that are closed now.
    """

    plan: str
    rewards: dict[str, float]
    teleporters: dict[str, str] = dataclasses.field(default_factory=dict)
    closed: str = ""

    def __post_init__(self) -> None:
        self.cells = np.array([list(row) for row in self.plan.split()])
        named = [str(name) for name in np.unique(self.cells) if name not in "#."]
        self.places: dict[str, Cell] = {name: self._cells(name)[0] for name in named}
        self.open = [
            cell for cell in self._cells("#", False) if self.cells[cell] not in self.closed
        ]

    def _cells(self, name: str, equal: bool = True) -> list[Cell]:
        return [
            (int(row), int(column)) for row, column in np.argwhere((self.cells == name) == equal)
        ]

    def step(self, cell: Cell, action: int) -> tuple[Cell, float, bool]:
        """Moves from a cell: the next cell, the reward, and whether the episode has ended."""
        to = cell[0] + MOVES[action][0], cell[1] + MOVES[action][1]
        if to not in self.open:
            return cell, 0.0, False
        name = str(self.cells[to])
        if name in self.teleporters:
            return self.places[self.teleporters[name]], 0.0, False
        return to, self.rewards.get(name, 0.0), name in self.rewards

    def picture(self, cell: Cell, noise: float, draw: np.random.Generator) -> np.ndarray:
        """The maze from above with the agent in a cell, float64 [height, width].

        Args:
            cell: Where the agent is; it has the value 1, a closed cell 0.5.
            noise: Standard deviation of each pixel.
            draw: Generator of the noise.
        """
        image = 0.5 * (self.cells == "#")
        image[cell] = 1.0
        image = np.kron(image, np.ones([PIXELS, PIXELS]))
        return image + noise * draw.normal(size=image.shape)

    def best_return(self, discount: float) -> float:
        """Discounted return of the best policy from the start, by value iteration."""
        value = dict.fromkeys(self.open, 0.0)
        for _ in range(len(self.open)):  # No way is longer.
            for cell in self.open:
                found = [self.step(cell, action) for action in range(len(MOVES))]
                value[cell] = max(r + (0 if end else discount * value[to]) for to, r, end in found)
        return value[self.places["S"]]


T_MAZE = """
    #########
    #L.....R#
    ####.####
    ####.####
    ####.####
    ####S####
    #########"""
H_MAZE = """
    #########
    #St####.#
    #.#####.#
    #.......#
    #.#####n#
    #.#####R#
    #########"""
RING = """
    #########
    #...S..L#
    #.#####.#
    #.#####.#
    #.#####.#
    #R......#
    #########"""

CHANGES = {
    "reverse": (Maze(T_MAZE, {"L": 1.0, "R": -1.0}), Maze(T_MAZE, {"L": -1.0, "R": 1.0})),
    "teleport": (Maze(H_MAZE, {"R": 1.0}), Maze(H_MAZE, {"R": 1.0}, {"t": "n"})),
    "block": (Maze(RING, {"L": 1.0, "R": 1.0}), Maze(RING, {"R": 1.0}, closed="L")),
}
"""Mazes before and after: the rewards are exchanged, a teleporter is added, the nearer exit is closed."""
