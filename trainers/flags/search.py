"""Flags of trainers.search."""

from __future__ import annotations

import dataclasses

from . import names
from .config import option
from .finished_run import MovedDataFlags, TrustFlags


@dataclasses.dataclass(frozen=True)
class Config(TrustFlags, MovedDataFlags):
    """The flags of the search."""

    run: str = option("", "Folder of the run whose model encodes.", path=True)
    index: str = option(
        "",
        "Folder of the index; built if it is not there. Default: one in RUN, named after what is indexed.",
        path=True,
    )
    rebuild: bool = option(
        False, "Build the index anew, as it must be when the images have changed since."
    )
    images: str = option(
        "", "Folder of images to index, with subfolders. Default: --split of the data.", path=True
    )
    split: str = option(
        "train", "Of the run's data, to index.", choices=("train", "validation", "test")
    )
    query: tuple[str, ...] = option(
        (),
        "Image files to ask for, separated by commas or by several --query. A name with a comma goes in "
        "double quotes: --query='\"a, b.png\"'. Default: images of the test split.",
        repeated=True,
        path=True,
    )
    num_queries: int = option(10, "Images of the test split to ask for.", lower=1)
    k: int = option(10, "Neighbours of each query.", lower=1)
    method: str = option(
        names.EXACT,
        "'exact', or an index of FAISS (pip install 'tf-discrete[search]'), whose recall against the "
        "exact search is reported.",
        choices=(names.EXACT, *(f"faiss_{kind}" for kind in names.FAISS_KINDS)),
    )
    near_duplicates: int = option(
        -1, "Also list pairs in the index that differ in at most n variables. -1: do not.", lower=-1
    )
    output: str = option(
        "", "Folder of search.png and search.json. Default: RUN/search.", path=True
    )
    accept_changed_data: bool = option(
        False, "Search although the data are not those that the run was trained on."
    )
