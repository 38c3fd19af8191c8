"""The golden numbers of the semantic hashing trainer: `python -m tests.golden.semantic_hashing`.

As tests.golden.categorical_vae, of another small run on the digits.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

from tests.golden import categorical_vae as golden
from trainers.tasks import semantic_hashing

FILE = pathlib.Path(__file__).with_suffix(".json")

FLAGS: dict[str, Any] = {
    "dataset": "digits",
    "max_examples": 300,
    "batch_size": 30,
    "epochs": 4,
    "num_bits": 9,
    "hidden_units": (12,),
    "learning_rate": 0.01,
    "warmup_steps": 25,
    "flip_probability": 0.05,
    "bound_samples": 10,
    "pictures_every": 3,
    "generation_samples": 0,
}


def config(output_dir: Any, **changes: Any) -> semantic_hashing.Config:
    """The configuration of the small run."""
    return semantic_hashing.Config(output_dir=str(output_dir), **{**FLAGS, **changes})


def run(folder: pathlib.Path, **changes: Any) -> None:
    """The run that is pinned."""
    semantic_hashing.run(config(folder, **changes))


if __name__ == "__main__":
    sys.exit(golden.main(file=FILE, run=run))
