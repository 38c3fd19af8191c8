"""Flags of trainers.explore."""

from __future__ import annotations

import dataclasses

from .config import option
from .finished_run import MovedDataFlags, TrustFlags


@dataclasses.dataclass(frozen=True)
class Config(TrustFlags, MovedDataFlags):
    """Flags of the page."""

    run: str = option("", "Directory of the run whose model the page shows.", path=True)
    output: str = option("", "HTML file to write. Default: RUN/explorer.html.", path=True)
    split: str = option(
        "test",
        "Split of the run's data whose images are shown.",
        choices=("train", "validation", "test"),
    )
    num_images: int = option(
        300,
        "Largest number of images in the page, of all classes in turn. Images are left out, down to 100, if "
        "the pixels of the page would otherwise differ from the model's by more than 1e-3.",
        lower=1,
    )
    weights: str = option(
        "auto",
        "Integers that the weights are rounded to. 'auto': the most precise with which the page fits.",
        choices=("auto", "int16", "int12", "int11", "int10", "int9", "int8"),
    )
    size_limit: float = option(3.0, "Largest size of the page in MB.", positive=True)
    prior: str = option(
        "",
        "Directory of a prior of the codes to sample from, as trainers.autoregressive_prior writes it. "
        "Default: RUN/autoregressive_prior, if it is there.",
        path=True,
    )
    atlas: str = option(
        "",
        "Parquet file to write too, of all images of the split with their codes, for Apple's embedding-atlas "
        "(pip install 'tf-discrete[parquet]').",
        path=True,
    )
    atlas_neighbors: int = option(10, "Neighbours of each image in --atlas.", lower=1)
    accept_changed_data: bool = option(
        False, "Show images although the data have changed since training."
    )
