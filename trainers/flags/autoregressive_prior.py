"""Flags of trainers.autoregressive_prior."""

from __future__ import annotations

import dataclasses

from .config import option
from .finished_run import MovedDataFlags, TrustFlags
from .run import AverageFlags, DistributeFlags


@dataclasses.dataclass(frozen=True)
class Config(AverageFlags, DistributeFlags, TrustFlags, MovedDataFlags):
    """Flags of this trainer; those of the prior have the names of its arguments."""

    run: str = option(
        "", "Directory of the run whose codes are learned; the run is not changed.", path=True
    )
    output_dir: str = option(
        "", "Directory of the prior. Default: RUN/autoregressive_prior.", path=True
    )
    chunk_size: int = option(
        0, "Variables per chunk. 0: the most with at most 256 values.", lower=0
    )
    units: int = option(128, "Units of the LSTM.", lower=1)
    embedding_units: int = option(64, "Size of the embedding of a chunk.", lower=1)
    epochs: int = option(100, "Maximum number of passes over the training codes.", lower=1)
    early_stopping: int = option(
        5, "Stop after n epochs without a better validation score. 0: never.", lower=0
    )
    batch_size: int = option(100, "Codes per training step.", lower=1)
    learning_rate: float = option(2e-3, "Learning rate of Adam.", positive=True)
    seed: int = option(
        0,
        "Seed of the initial weights, the order of the data and the samples.",
        lower=0,
        upper=2**32 - 1,
    )
    temperature: float = option(1.0, "Temperature of the samples in the picture.", positive=True)
    top_p: float = option(
        1.0, "Nucleus probability of the samples in the picture, in (0, 1].", positive=True, upper=1
    )
    compress: bool = option(
        False,
        "Compress the test codes with the prior into codes.bin, and report its size on disk "
        "(pip install 'tf-discrete[compress]').",
    )
    accept_changed_data: bool = option(
        False, "Continue although the data have changed since the run or the prior started."
    )
