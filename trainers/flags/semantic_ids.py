"""Flags of trainers.semantic_ids."""

from __future__ import annotations

import dataclasses

from .config import option


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of semantic IDs."""

    embeddings: str = option(
        "",
        "Table of embeddings, a row for each item: .npy of numbers [M, D], or .parquet (pip install "
        "'tf-discrete[parquet]').",
        path=True,
    )
    column: str = option("embedding", "Column of the embeddings in a Parquet table, of lists.")
    output_dir: str = option("runs/semantic_ids", "Folder of the IDs and the quantiser.", path=True)
    num_levels: int = option(3, "Codes of an item, coarse to fine.", lower=1)
    num_categories: int = option(256, "Values of a code.", lower=2)
    beam_size: int = option(1, "Sums that the search of the codes keeps; 1 is greedy.", lower=1)
    sample_size: int = option(65_536, "Most embeddings that k-means reads.", lower=2)
    seed: int = option(0, "Of k-means and of the sample.", lower=0)
    decode: str = option(
        "",
        "File of IDs, .npy or .parquet: writes their vectors and rows to OUTPUT_DIR/decoded.npz.",
        path=True,
    )
