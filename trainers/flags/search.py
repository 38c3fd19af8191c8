"""Flags of trainers.search."""

from __future__ import annotations

import dataclasses

from . import names
from .config import option
from .finished_run import MovedDataFlags, TrustFlags


@dataclasses.dataclass(frozen=True)
class Config(TrustFlags, MovedDataFlags):
    """Flags of the search."""

    run: str = option("", "Directory of the run whose model encodes the images.", path=True)
    index: str = option(
        "",
        "Directory of the index; built if it is missing. Default: in RUN, named after the indexed images.",
        path=True,
    )
    rebuild: bool = option(False, "Build the index again; necessary if the images have changed.")
    images: str = option(
        "",
        "Folder of images to index, with subfolders. With a subfolder for each class, precision is reported "
        "too. Default: --split of the run's data.",
        path=True,
    )
    split: str = option(
        "train", "Split of the run's data to index.", choices=("train", "validation", "test")
    )
    query: tuple[str, ...] = option(
        (),
        "Image files to search for, separated by commas or in several --query. A name with a comma needs "
        "double quotes: --query='\"a, b.png\"'. Default: images of the test split.",
        repeated=True,
        path=True,
    )
    num_queries: int = option(
        10, "Number of test images to search for if --query is not given.", lower=1
    )
    k: int = option(10, "Number of neighbours of each query.", lower=1)
    method: str = option(
        names.EXACT,
        "'exact', or a FAISS index (pip install 'tf-discrete[search]'); the recall of FAISS against exact "
        "search is reported.",
        choices=(names.EXACT, *(f"faiss_{kind}" for kind in names.FAISS_KINDS)),
    )
    near_duplicates: int = option(
        -1, "List pairs in the index that differ in at most n variables. -1: no list.", lower=-1
    )
    output: str = option(
        "", "Directory of search.png and search.json. Default: RUN/search.", path=True
    )
    accept_changed_data: bool = option(
        False, "Search although the data have changed since training."
    )
