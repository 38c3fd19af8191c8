"""Finds images by their codes."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_discrete import codes as codes_lib
from tf_discrete import evaluation, plots
from tf_discrete._internal import writing
from tf_discrete._internal.writing import write_json

from ..common import finished_run, results
from ..flags.config import check
from ..flags.names import EXACT
from ..flags.search import Config
from . import image_index
from .image_source import ImageSource

_SHOWN = 10


def run(config: Config) -> dict[str, Any]:
    """Builds the index if need be, searches it, and draws what was found; returns search.json.

    Raises:
        FileNotFoundError: no such run, folder or query.
        ImportError: FAISS is asked for and not installed.
        ValueError: flags that cannot work, data that have changed, an index of other images or of another
            model, or a file that cannot be read.
    """
    check(config)
    config = dataclasses.replace(config, images=_absolute(config.images))
    check_queries(config.query)
    finished = finished_run.load(
        config.run,
        dataset=config.dataset,
        data_dir=config.data_dir,
        accept_changed_data=config.accept_changed_data,
        import_module=config.import_module,
        trust_run=config.trust_run,
    )
    folder = image_index.folder_of(config, finished)
    source = ImageSource(finished, None if config.images else config.split)
    index = image_index.load_or_build(config, finished, folder, source)
    queries = ImageSource(finished, None if config.query else "test")
    names = list(config.query) or queries.names()[: config.num_queries]
    asked, _, _ = queries.encode(names)
    exact = index.search(asked, config.k)
    result = {"items": len(index), "queries": len(asked), **report(index, config)}
    found = exact
    if config.method != EXACT:
        found = image_index.faiss_index(index, folder, config.method.removeprefix("faiss_")).search(
            asked, config.k
        )
        result["recall_against_exact"] = codes_lib.recall_against(found, exact)
    known = source.classes(index.ids, config.images)
    wanted = query_classes(config, queries, names, set(known), set(index.ids))
    result.update(score(asked, wanted, index, known, config.k))
    output = writing.expand(config.output or finished.directory.path / "search")
    classes = _folders(names) if config.query else queries.classes(names)
    shown = [one if one in set(known) else "" for one in classes]
    drawn = picture(queries, names, source, index, found, shown, known)
    plots.save(drawn, output / "search.png")
    results.print_table(f"Search in {folder}", result)
    result["neighbors"] = [
        {
            "query": name,
            "found": [index.ids[i] for i in indices if i >= 0],
            "distances": [int(d) for d, i in zip(distances, indices, strict=True) if i >= 0],
        }
        for name, distances, indices in zip(names, *found, strict=True)
    ]
    write_json(output / "search.json", result)
    print(f"\nWhat was found is in {output}: search.png and search.json")
    return result


def check_queries(names: Sequence[str]) -> None:
    """Refuses image files that are missing, before anything is loaded or built.

    Raises:
        ValueError: names the first one; explains how a comma in a name is written.
    """
    for name in names:
        if not os.path.isfile(name):
            raise ValueError(
                "Queries must be whole, readable files of images. Names are separated by commas; one with a "
                "comma goes in double quotes, --query='\"a, b.png\"'. "
                f"Received: {name!r} of query={tuple(names)}"
            )


def report(index: codes_lib.CodeIndex, config: Config) -> dict[str, Any]:
    """How many items share their code, or nearly."""
    shared = codes_lib.collisions(index.codes, index.num_categories)
    result: dict[str, Any] = {
        "skipped": len(index.metadata["skipped"]),
        "distinct_codes": shared.num_distinct,
        "items_that_share_a_code": shared.num_colliding,
        "largest_group": max(map(len, shared.largest), default=1),
    }
    if config.near_duplicates >= 0:
        near = codes_lib.near_duplicates(index.codes, config.near_duplicates, index.num_categories)
        result["near_duplicate_pairs"] = near.num_pairs
    return result


def query_classes(
    config: Config, queries: ImageSource, names: list[str], known: set[str], indexed: set[str]
) -> list[str]:
    """Returns the class of each query, "" where it has none among those that are known.

    A query file has the class that its folder is named after. A query that is in the index itself would find
    itself first, and has none.
    """
    if config.query:
        found = _folders(names)
        indexed = {os.path.abspath(name) for name in indexed}
        names = [os.path.abspath(name) for name in names]
    else:
        found = queries.classes(names)
    return [
        one if one in known and name not in indexed else ""
        for one, name in zip(found, names, strict=True)
    ]


def score(
    asked: np.ndarray,
    wanted: list[str],
    index: codes_lib.CodeIndex,
    known: list[str],
    k: int,
) -> dict[str, Any]:
    """Returns whether what is near has the class of the query; ties averaged over their orders.

    Args:
        asked: Codes of the queries.
        wanted: Classes of the queries; those with "" are left out.
        index: Searched.
        known: Classes of its items.
        k: Neighbours.
    """
    some = [number for number, name in enumerate(wanted) if name]
    if not some:
        return {}
    numbers = {name: number for number, name in enumerate(sorted(set(known) | set(wanted)))}
    scores = evaluation.evaluate_retrieval(
        asked[some],
        np.array([numbers[wanted[i]] for i in some]),
        index.codes,
        np.array([numbers[name] for name in known]),
        k,
        index.num_categories,
        ties="expected",
    )
    found = {
        f"retrieval/{name}": value
        for name, value in scores._asdict().items()
        if not math.isnan(value)  # A single query has no standard error.
    }
    return {"labelled_queries": len(some), **found}


def picture(
    queries: ImageSource,
    names: list[str],
    source: ImageSource,
    index: codes_lib.CodeIndex,
    found: codes_lib.Neighbors,
    wanted: Sequence[str],
    known: Sequence[str],
) -> Any:
    """Draws the first queries next to their neighbours, with the classes of both where they are known."""
    shown = names[:_SHOWN]
    blank = np.zeros(queries.shape, np.float32)
    images = [
        [blank if i < 0 else source.read(index.ids[i]) for i in indices]
        for indices in found.indices[: len(shown)]
    ]
    return plots.neighbors(
        np.stack([queries.read(name) for name in shown]),
        np.array(images),
        np.where(found.indices < 0, -1, found.distances)[: len(shown)],
        query_names=[name or "query" for name in wanted],
        found_names=[[known[i] if i >= 0 else "" for i in indices] for indices in found.indices],
        title="Queries and their nearest neighbours: variables that differ",
    )


def _folders(names: Sequence[str]) -> list[str]:
    return [os.path.basename(os.path.dirname(os.path.abspath(name))) for name in names]


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path)) if path else ""
