"""Finds images by their codes: python -m trainers.search --run=RUN --query=cat.png --help."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

from tf_discrete import codes as codes_lib
from tf_discrete import evaluation, plots
from tf_discrete.codes.faiss_index import KINDS
from trainers import command_line, finished_run, results
from trainers.config import check, option
from trainers.image_source import ImageSource
from trainers.run_directory import write_json

_SHOWN = 10
EXACT = "exact"


@dataclasses.dataclass(frozen=True)
class Config:
    """The flags of the search."""

    run: str = option("", "Folder of the run whose model encodes.")
    index: str = option("", "Folder of the index; built if it is not there. Default: RUN/index.")
    rebuild: bool = option(False, "Build the index anew.")
    images: str = option(
        "", "Folder of images to index, with subfolders. Default: --split of the data."
    )
    split: str = option(
        "train", "Of the run's data, to index.", choices=("train", "validation", "test")
    )
    query: tuple[str, ...] = option(
        (), "Image files to ask for. Default: images of the test split."
    )
    num_queries: int = option(10, "Images of the test split to ask for.", lower=1)
    k: int = option(10, "Neighbours of each query.", lower=1)
    method: str = option(
        EXACT,
        "'exact', or an index of FAISS (pip install 'tf-discrete[search]'), whose recall against the "
        "exact search is reported.",
        choices=(EXACT, *(f"faiss_{kind}" for kind in KINDS)),
    )
    near_duplicates: int = option(
        -1, "Also list pairs in the index that differ in so many variables. -1: do not.", lower=-1
    )
    output: str = option("", "Folder of search.png and search.json. Default: RUN/search.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: that of the run.")
    import_module: tuple[str, ...] = option(
        (), "Modules to import first, beside those that the run has imported."
    )


def run(config: Config) -> dict[str, Any]:
    """Builds the index if need be, searches it, and draws what was found; returns search.json.

    Raises:
        FileNotFoundError: no such run, folder or query.
        ImportError: FAISS is asked for and not installed.
        ValueError: flags that cannot work, an index of other codes, or a file that cannot be read.
    """
    check(config)
    finished = finished_run.load(
        config.run, data_dir=config.data_dir, import_module=config.import_module
    )
    folder = pathlib.Path(config.index or finished.directory.path / "index")
    index = load_or_build(config, finished, folder)
    source = ImageSource(finished, index.metadata["split"])
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
    if queries.labels is not None and source.labels is not None and source.name != "test":
        labels = queries.labels[: len(asked)], source.labels
        result.update(score(asked, index, *labels, config.k))
    output = pathlib.Path(config.output or finished.directory.path / "search")
    plots.save(picture(queries, names, source, index, found), output / "search.png")
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


def load_or_build(
    config: Config, finished: finished_run.FinishedRun, folder: pathlib.Path
) -> codes_lib.CodeIndex:
    """The index in a folder, checked against the model; built where there is none."""
    wanted = {"split": None if config.images else config.split, "images": config.images or None}
    if folder.exists() and not config.rebuild:
        index = codes_lib.CodeIndex.load(folder)
        index.check_model(finished.model)
        stored = {name: index.metadata.get(name) for name in wanted}
        if stored != wanted and (config.images or stored["images"] is None):
            raise ValueError(
                "The index must be of the images that are asked for. Give another --index, or --rebuild. "
                f"Received: {wanted}, {str(folder)!r} with {stored}"
            )
        return index
    if config.images and not pathlib.Path(config.images).is_dir():
        raise FileNotFoundError(f"images must be a folder. Received: images={config.images!r}")
    source = ImageSource(finished, wanted["split"])
    codes, kept, skipped = source.encode(source.names(config.images), skip=True)
    print(f"{len(kept)} images encoded, {len(skipped)} skipped")
    metadata = {**wanted, "run": config.run, "skipped": skipped}
    model = finished.model
    index = codes_lib.CodeIndex(codes, model.num_categories, kept, model, metadata)
    index.save(folder, overwrite=config.rebuild)
    return index


def faiss_index(
    index: codes_lib.CodeIndex, folder: pathlib.Path, kind: str
) -> codes_lib.FaissIndex:
    """The index of FAISS beside the codes, named by their digest; built where there is none."""
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


def score(
    asked: np.ndarray, index: codes_lib.CodeIndex, query_labels: Any, labels: Any, k: int
) -> dict[str, Any]:
    """Whether what is near has the same label; ties averaged over their orders."""
    scores = evaluation.evaluate_retrieval(
        asked, query_labels, index.codes, labels, k, index.num_categories, ties="expected"
    )
    return {f"retrieval/{name}": value for name, value in scores._asdict().items()}


def picture(
    queries: ImageSource,
    names: list[str],
    source: ImageSource,
    index: codes_lib.CodeIndex,
    found: codes_lib.Neighbors,
) -> Any:
    """The first queries beside what was found."""
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
        title="Queries and their nearest neighbours: variables that differ",
    )


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
