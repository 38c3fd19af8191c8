"""The options of the trainings behind docs/questions.md."""

from __future__ import annotations

import dataclasses

from trainers.flags.config import option


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the trainings."""

    questions: tuple[str, ...] = option(
        (), "Of straight_through, cosine, smoothing, penalty. Default: all."
    )
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    max_examples: int = option(0, "Maximum number of images of each split. 0: all.", lower=0)
    num_seeds: int = option(3, "Trainings of each row.", lower=1)
    steps: int = option(2000, "Steps of 100 images.", lower=1)
    text_steps: int = option(500, "Steps of 100 texts.", lower=1)
    num_samples: int = option(100, "Of the bound of log p(x).", lower=1)
    num_words: int = option(2000, "Words of the TF-IDF vectors.", lower=10)
