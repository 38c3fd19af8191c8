"""The setting of the study: its options and its cells."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import NamedTuple

from benchmarks import store
from benchmarks.bottlenecks.families import FAMILIES
from trainers.flags.config import check, option

DOCUMENTED = "bottlenecks"
"""The table whose picture the documentation shows."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the study."""

    dataset: str = option(
        "mnist",
        "Data with labels, or the path of images in a folder for each class; grey or colour.",
    )
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    image_size: tuple[int, ...] = option(
        (), "Height and width to which images of files are resized. Default: their own."
    )
    max_examples: int = option(0, "Maximum number of examples of each split. 0: all.", lower=0)
    results: str = option(DOCUMENTED, "Table of benchmarks/results that takes the cells.")
    picture: str = option(
        "",
        "PNG of the report. Default: that of the documentation, for other --results in their runs/.",
    )
    families: tuple[str, ...] = option((), f"Of {', '.join(FAMILIES)}. Default: all.")
    bits: tuple[int, ...] = option((16, 32, 64, 96, 128), "Sizes of the codes.")
    num_seeds: int = option(2, "Trainings of each cell.", lower=1)
    seed: int = option(0, "The first seed.", lower=0, upper=2**31)
    steps: int = option(20_000, "Steps of a training, rounded to whole epochs.", lower=1)
    batch_size: int = option(100, "Images in a step.", lower=1)
    parameters: int = option(
        1_200_000, "Of encoder, decoder and codebooks, within 2 %.", lower=2000
    )
    trials: int = option(
        12, "Random settings that are tried for each family; the first are its defaults.", lower=1
    )
    tune_bits: int = option(64, "Size at which they are tried, on validation images.", lower=8)
    prior_units: int = option(128, "Of the LSTM that learns the codes of a cell.", lower=1)
    prior_steps: int = option(6000, "Steps of its training.", lower=1)
    k: int = option(100, "Of precision@k.", lower=1)
    num_samples: int = option(6400, "Samples of an inception score; 0 for none.", lower=0)
    toy: bool = option(False, "The same study in seconds: digits, few and small trainings.")


MAY_DIFFER = ("data_dir", "results", "picture", "families", "bits", "num_seeds", "toy")
"""Options in which a command that goes on with a study may differ from the one that began it."""

TOY = {
    "dataset": "digits",
    "max_examples": 200,
    "families": ("vq_grouped",),
    "bits": (16,),
    "num_seeds": 1,
    "steps": 4,
    "parameters": 60_000,
    "trials": 1,
    "tune_bits": 16,
    "prior_units": 8,
    "prior_steps": 4,
    "k": 10,
    "num_samples": 0,
}


class Cell(NamedTuple):
    """One training: a family, the size of its code, its settings, and whether it is a trial."""

    family: str
    bits: int
    seed: int
    settings: dict[str, float]
    trial: int | None = None

    @property
    def name(self) -> str:
        """Name of its record."""
        end = f"seed={self.seed}" if self.trial is None else f"trial={self.trial}"
        return f"{self.family}-{self.bits}-{end}"


def resolve(config: Config) -> Config:
    """Returns the options with all families and the picture named, or those of the toy.

    Raises:
        ValueError: An unknown family, or a size that a family does not have.
    """
    if config.toy:
        config = dataclasses.replace(config, **TOY)  # type: ignore[arg-type]
    config = dataclasses.replace(
        config,
        families=config.families or tuple(FAMILIES),
        picture=config.picture or str(_folder(config.results) / "bottlenecks.png"),
    )
    check(config)
    unknown = sorted(set(config.families) - set(FAMILIES))
    if unknown:
        raise ValueError(
            f"families must be of {', '.join(FAMILIES)}. Received: families={','.join(unknown)!r}"
        )
    for bits in (*config.bits, config.tune_bits):
        for name in config.families:
            if bits < 1 or bits % FAMILIES[name].unit:
                raise ValueError(
                    f"The bits of {name} must be a multiple of {FAMILIES[name].unit}. "
                    f"Received: bits={bits}"
                )
    return config


def _folder(results: str) -> pathlib.Path:
    """Returns where the picture of a table goes; that of the documentation is not replaced by another."""
    return store.IMAGES if results == DOCUMENTED else pathlib.Path("runs") / results
