"""Flags of trainers.autoregressive_prior."""

from __future__ import annotations

import dataclasses

from .config import option
from .finished_run import MovedDataFlags, TrustFlags


@dataclasses.dataclass(frozen=True)
class Config(TrustFlags, MovedDataFlags):
    """The flags of this trainer; those of the prior are named as its arguments."""

    run: str = option(
        "", "Folder of the run whose model's codes are learned; it stays as it is.", path=True
    )
    output_dir: str = option(
        "", "Folder of the prior. Default: RUN/autoregressive_prior.", path=True
    )
    chunk_size: int = option(
        0, "Variables in a chunk. 0: as many as make at most 256 values.", lower=0
    )
    units: int = option(128, "Of the LSTM.", lower=1)
    embedding_units: int = option(64, "Of a chunk's value.", lower=1)
    epochs: int = option(100, "Most passes over the training codes.", lower=1)
    early_stopping: int = option(
        5, "Stop after n epochs without fewer nats on validation. 0: never.", lower=0
    )
    batch_size: int = option(100, "Codes in a step.", lower=1)
    learning_rate: float = option(2e-3, "Of Adam, per step.", positive=True)
    seed: int = option(0, "Of the weights, the order and the samples.", lower=0, upper=2**32 - 1)
    temperature: float = option(1.0, "Of the samples in the picture.", positive=True)
    top_p: float = option(1.0, "Of the samples in the picture, in (0, 1].", positive=True, upper=1)
    compress: bool = option(
        False,
        "Also compress the test codes by the prior into codes.bin, and report its size on disk "
        "(pip install 'tf-discrete[compress]').",
    )
    accept_changed_data: bool = option(
        False, "Continue although the data are not those that the run, or the prior, began with."
    )
