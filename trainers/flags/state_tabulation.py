"""Flags of trainers.state_tabulation."""

from __future__ import annotations

import dataclasses

from . import names
from .config import option

ESTIMATOR = "gumbel_softmax"


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of the environment, of the agent and of the model of its states."""

    environment: str = option(
        "t_maze",
        "A maze that is seen as noisy pictures, 't_maze', 'h_maze' or 'ring', or the id of an environment of "
        "gymnasium with pictures as observations and numbered actions (pip install 'tf-discrete[rl]').",
    )
    steps: int = option(10_000, "Steps in the environment, rounded up to whole rounds.", lower=1)
    change_at: int = option(
        0,
        "Step after which a maze changes, rounded up to whole rounds: rewards are exchanged (t_maze), a "
        "teleporter is added (h_maze), the nearer exit is closed (ring). 0: never.",
        lower=0,
    )
    num_bits: int = option(16, "Bits of a state.", lower=1)
    window: int = option(2, "Observations of a window that the model is trained on.", lower=2)
    estimator: str = option(
        ESTIMATOR,
        "Estimator of the bits, see trainers.categorical_vae.",
        registered=names.ESTIMATORS,
    )
    temperature: float = option(
        0.0, "Temperature of the estimator. 0: 2/3 of gumbel_softmax, else its own.", lower=0
    )
    hidden_units: tuple[int, ...] = option(
        (256, 128), "Units of the encoder's hidden layers; the decoder mirrors them."
    )
    transition_units: tuple[int, ...] = option((128,), "Hidden units of the model of transitions.")
    pixel_scale: float = option(
        0.0,
        "Standard deviation of a pixel under the model, where white is 1, such as that of its noise. A "
        "smaller one makes finer states. Default 0: chosen as (height x width x channels) / 10,000, at least "
        "0.1.",
        lower=0,
    )
    learning_rate: float = option(1e-3, "Of Adam.", positive=True)
    batch_size: int = option(128, "Windows of a training step.", lower=1)
    train_every: int = option(
        500, "Steps in the environment of a round, after which the model is trained.", lower=1
    )
    batches: int = option(125, "Training steps of a round.", lower=1)
    train_rounds: int = option(
        0,
        "Rounds in which the model learns, after which it stays as it is. 0: it always learns.",
        lower=0,
    )
    burn_in: int = option(1000, "Steps with random actions at the beginning.", lower=0)
    exploration_steps: int = option(2000, "Steps after them in which exploration falls.", lower=0)
    exploration: float = option(0.1, "Share of random actions in the end.", lower=0, upper=1)
    discount: float = option(
        0.95, "Discount of a reward a step later, below 1.", lower=0, upper=0.9999
    )
    memory: int = option(
        2000,
        "Observations that are remembered; what is older is taken back from the table.",
        lower=2,
    )
    backups: int = option(
        100, "Most values that are updated after a step; all are after a round.", lower=1
    )
    episode_steps: int = option(60, "Most steps of an episode.", lower=1)
    evaluation_episodes: int = option(5, "Episodes without exploration after each round.", lower=1)
    seed: int = option(0, "Of everything that is drawn.", lower=0, upper=2**31)
    import_module: tuple[str, ...] = option(
        (), "Modules to import first: your own registered estimators and environments."
    )
    output_dir: str = option(
        "", "Directory of the run. Default: runs/state_tabulation-<environment>.", path=True
    )
