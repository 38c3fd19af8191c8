"""Finds images by their codes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import os
import pathlib
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tf_discrete import codes as codes_lib
from tf_discrete import evaluation, plots
from tf_discrete._internal import locking, writing
from tf_discrete._internal.counted import counted
from tf_discrete._internal.writing import write_json

from ..common import finished_run, results
from ..flags.config import check
from ..flags.names import EXACT
from ..flags.search import Config
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
    folder = index_folder(config, finished)
    source = ImageSource(finished, None if config.images else config.split)
    index = load_or_build(config, finished, folder, source)
    queries = ImageSource(finished, None if config.query else "test")
    names = list(config.query) or queries.names()[: config.num_queries]
    asked, _, _ = queries.encode(names)
    exact = index.search(asked, config.k)
    result = {"items": len(index), "queries": len(asked), **report(index, config)}
    found = exact
    if config.method != EXACT:
        found = faiss_index(index, folder, config.method.removeprefix("faiss_")).search(
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


def index_folder(config: Config, finished: finished_run.FinishedRun) -> pathlib.Path:
    """The folder of the index: that of --index, else one of the run that is named after what is indexed."""
    if config.index:
        return pathlib.Path(config.index)
    if not config.images:
        return finished.directory.path / f"index-{config.split}"
    digest = hashlib.sha256(os.fsencode(config.images)).hexdigest()[:8]
    return finished.directory.path / f"index-{os.path.basename(config.images)}-{digest}"


def load_or_build(
    config: Config,
    finished: finished_run.FinishedRun,
    folder: pathlib.Path,
    source: ImageSource,
) -> codes_lib.CodeIndex:
    """The index in a folder, checked against the model and the images; built where there is none.

    Raises:
        FileNotFoundError: no folder of images.
        InUseError: another process is building the index.
        ValueError: an index of another model or of other images, or of images that have changed since.
    """
    wanted = {"split": None if config.images else config.split, "images": config.images or None}
    if config.images and not pathlib.Path(config.images).is_dir():
        raise FileNotFoundError(f"images must be a folder. Received: images={config.images!r}")
    if folder.exists() and not config.rebuild:
        index = codes_lib.CodeIndex.load(folder)
        index.check_model(finished.model)
        check_images(index, wanted, source, folder)
        return index
    with _building(folder):
        identity = source.identity(config.images)
        codes, kept, skipped = source.encode(source.names(config.images), skip=True)
        print(f"{counted(len(kept), 'image')} encoded, {len(skipped):,} skipped")
        run = _absolute(config.run)
        metadata = {**wanted, "identity": identity, "run": run, "skipped": skipped}
        model = finished.model
        _, num_categories = model.latent_spec.digit_sizes
        index = codes_lib.CodeIndex(codes, num_categories, kept, model, metadata)
        index.save(folder, overwrite=config.rebuild)
    return index


@contextlib.contextmanager
def _building(folder: pathlib.Path) -> Iterator[None]:
    """Keeps an index for this process while it is built: the folder itself is replaced at the end.

    Raises:
        InUseError: Another process is building it.
    """
    place = folder.with_name(f".{folder.name}.building")
    place.mkdir(parents=True, exist_ok=True)
    with locking.lock(place):
        yield
    with contextlib.suppress(OSError):  # Another process may be there by now.
        place.rmdir()


def check_images(
    index: codes_lib.CodeIndex,
    wanted: dict[str, str | None],
    source: ImageSource,
    folder: pathlib.Path,
) -> None:
    """Refuses an index of other images than those that are asked for, as they are now.

    Raises:
        ValueError: names what differs.
    """
    stored = {name: index.metadata.get(name) for name in wanted}
    if stored != wanted:
        flags = " ".join(f"--{name}={shlex.quote(str(x))}" for name, x in stored.items() if x)
        raise ValueError(
            "The index must be of the images that are asked for. Give another --index, --rebuild, or the "
            f"flags of this one: {flags or 'unknown'}. Received: {wanted}, {str(folder)!r} with {stored}"
        )
    images = wanted["images"] or ""
    if index.metadata.get("identity") == source.identity(images):
        return
    now = source.names(images)
    before = {*index.ids, *index.metadata.get("skipped", ())}
    added, removed = [x for x in now if x not in before], sorted(before.difference(now))
    parts = [
        f"{len(names)} {what}, such as {names[0]!r}"
        for what, names in (("added", added), ("removed", removed))
        if names
    ]
    raise ValueError(
        "The index must be of the images as they are now. Give --rebuild to build it anew. Received: "
        f"{str(folder)!r} of {images or wanted['split']!r} with "
        f"{', '.join(parts) or 'images that have changed'}"
    )


def faiss_index(
    index: codes_lib.CodeIndex, folder: pathlib.Path, kind: str
) -> codes_lib.FaissIndex:
    """Loads the FAISS index of the codes, named by their digest; builds it if it is missing."""
    path = folder / f"{kind}-{index.digest[:12]}.faiss"
    if not path.exists():
        codes_lib.FaissIndex(index.codes, index.num_categories, kind).save(path)
    found = codes_lib.FaissIndex.load(path, index.num_variables, index.num_categories)
    if len(found) != len(index):
        raise ValueError(
            "The file of FAISS must be of the codes that its name tells. Remove it, and it is built again. "
            f"Received: {str(path)!r} with {len(found)} codes instead of {len(index)}"
        )
    return found


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
