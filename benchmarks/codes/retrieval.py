"""Retrieval by Hamming distance: learned codes of several sizes against linear hashing.

    python -m benchmarks.codes.retrieval --dataset=mnist --data_dir=$TF_DISCRETE_DATA_DIR

encodes the training images as a database and asks for the neighbours of every test image; what has the
label of the query is relevant. mAP is over the whole ranking, tied items in expectation over their orders.
Nothing sees a label before that. The methods: `SemanticHashingAutoencoder`, `CategoricalVAE` with Bernoulli
latents and Gumbel-Softmax, both with hidden layers of 512 and 256 units and trained for a few epochs only
from the mean image, and signs of random projections, of principal components and of iterative quantisation.

Each method, size and seed is a cell, kept in OUTPUT_DIR/cells/NAME.json as soon as it is done; the same
command goes on where it was stopped. Hyper-parameters are to be chosen with --queries=validation
--validation_fraction=0.1, which does not read the test split.
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import help_flag, provenance, store
from benchmarks.codes import models as code_models
from trainers.common import command_line
from trainers.common.tables import markdown, spread
from trainers.flags.config import check, defaults, option, to_json
from trainers.flags.run import RunConfig

if not help_flag.GIVEN:
    from benchmarks.codes import curves, linear_hashing
    from tf_discrete import codes, datasets, evaluation, plots, seeds
    from tf_discrete._internal.writing import write_json
    from tf_discrete.codes import hamming
    from trainers.common import data
    from trainers.common.run_directory import RunDirectory, read_json

RESULTS = "retrieval"
NAMES = {
    "semantic_hashing": "semantic hashing",
    "gumbel_softmax": "binary Gumbel-Softmax",
    "itq": "ITQ",
    "pca": "signs of PCA",
    "random": "random projections",
}
LEARNED = (code_models.HASHING, code_models.GUMBEL)
SCORES = ("mean_average_precision", "precision_at_k")


@dataclasses.dataclass(frozen=True)
class Config(code_models.Flags):
    """Options of the measurement."""

    output_dir: str = option("runs/retrieval", "Folder of the cells.")
    queries: str = option("test", "Split that asks.", choices=("test", "validation"))
    validation_fraction: float = option(
        0.001, "Share of the training images kept out of the database.", lower=0.001, upper=0.9
    )
    methods: tuple[str, ...] = option(tuple(NAMES), f"Of {', '.join(NAMES)}.")
    bits: tuple[int, ...] = option((16, 32, 64), "Sizes of the codes.")
    k: int = option(100, "Of precision@k.", lower=1)
    epochs: int = option(15, "Passes over the training images.", lower=1)
    flip_probability: float = option(
        0.0, "That a rounded bit of semantic hashing is flipped in training.", lower=0
    )
    kl_weight: float = option(1.0, "Weight of the KL of Gumbel-Softmax.", lower=0)
    picture: str = option(str(store.IMAGES / "retrieval.png"), "PNG file of the picture.")


PLACES = ("output_dir", "data_dir", "picture")
"""Fields that say where files lie, and nothing of the result."""

MAY_DIFFER = (*PLACES, "methods", "bits", "num_seeds")
"""Fields in which a command that goes on may differ from the one that began."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One method at one size with one seed."""

    method: str
    bits: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.method}-{self.bits}-seed={self.seed}"


def cells(config: Config) -> list[Cell]:
    """All cells, seed by seed; principal components have no seed and come once."""
    return [
        Cell(method, bits, seed)
        for seed in range(config.seed, config.seed + config.num_seeds)
        for bits in config.bits
        for method in config.methods
        if method != "pca" or seed == config.seed
    ]


def settings(config: Config, cell: Cell) -> RunConfig:
    """The configuration of the trainer that makes the codes of a cell."""
    own: dict[str, Any] = {"validation_fraction": config.validation_fraction}
    if cell.method == code_models.HASHING:
        own |= {"noise_stddev": config.noise_stddev, "flip_probability": config.flip_probability}
    else:
        own |= {"latents": "bernoulli", "kl_weight": config.kl_weight}
        own["temperature_final"] = config.temperature_final
    return code_models.run_config(config, cell.method, (cell.bits, 2), cell.seed, **own)


def make_codes(
    config: Config, cell: Cell, splits: tuple[datasets.Split, ...]
) -> tuple[np.ndarray, ...]:
    """Learns the codes of a cell from the first split, and returns those of all."""
    if cell.method in LEARNED:
        model = code_models.train(settings(config, cell), cell.method, splits[0])
        return tuple(codes.encode_batches(model, split.batches(500)) for split in splits)
    images = [
        np.concatenate(
            [batch["image"].numpy().reshape(len(batch["image"]), -1) for batch in batches]
        )
        for batches in (split.batches(1000) for split in splits)
    ]
    seed = seeds.fold(seeds.base(cell.seed), "linear hashing", cell.bits)
    fit: dict[str, Callable[[], linear_hashing.LinearHash]] = {
        "random": lambda: linear_hashing.random_projections(images[0], cell.bits, seed),
        "pca": lambda: linear_hashing.principal_components(images[0], cell.bits),
        "itq": lambda: linear_hashing.iterative_quantization(images[0], cell.bits, seed),
    }
    made = fit[cell.method]()
    return tuple(made.encode(some) for some in images)


def measure(config: Config, cell: Cell, splits: tuple[datasets.Split, ...]) -> dict[str, Any]:
    """Makes the codes of a cell and scores them: what its file holds."""
    began = time.process_time()
    database, queries = make_codes(config, cell, splits)
    made = time.process_time()
    known, wanted = (np.asarray(split.labels) for split in splits)
    scores = evaluation.evaluate_retrieval(
        queries, wanted, database, known, config.k, ties="expected"
    )
    return {
        **dataclasses.asdict(cell),
        **scores._asdict(),
        "database": len(database),
        "distinct_codes": len(np.unique(codes.pack(database), axis=0)),
        "codes_cpu_seconds": round(made - began, 1),
        "scores_cpu_seconds": round(time.process_time() - made, 1),
    }


def run(config: Config) -> dict[str, Any]:
    """Measures the cells that are missing; writes the result and the picture.

    Raises:
        ValueError: flags out of range, an unknown method, data without labels, or a folder that holds
            another measurement.
    """
    check(config)
    unknown = sorted(set(config.methods) - set(NAMES))
    if unknown or not config.methods:
        raise ValueError(
            f"methods must be of {', '.join(NAMES)}. Received: methods={','.join(config.methods)!r}"
        )
    todo = cells(config)
    for cell in todo:
        check(settings(config, cell))
    source = RunConfig(**_data(config))
    splits = data.load_split(source, "train"), data.load_split(source, config.queries)
    if splits[0].labels is None:
        raise ValueError(
            "Retrieval is scored by labels. Give data that has them. "
            f"Received: dataset={config.dataset!r}"
        )
    hamming.check_k(config.k, len(splits[0]))
    directory = RunDirectory(config.output_dir)
    directory.claim(to_json(config), MAY_DIFFER, defaults(config))
    (directory.path / "cells").mkdir(exist_ok=True)
    found, made = [], provenance.record()
    for number, cell in enumerate(todo, 1):
        path = directory.path / "cells" / f"{cell.name}.json"
        if not path.exists():
            write_json(path, measure(config, cell, splits))
        found.append(read_json(path))
        score = found[-1]["mean_average_precision"]
        print(f"{number}/{len(todo)} {cell.name}: mAP {score:.4f}", flush=True)
    result = {
        "command": provenance.command_of(
            "benchmarks.codes.retrieval",
            Config,
            to_json(config),
            ("output_dir", "picture"),
        ),
        "setting": {k: v for k, v in to_json(config).items() if k not in PLACES},
        "cells": found,
        "provenance": made,
    }
    store.append(RESULTS, result)
    plots.save(picture(result), pathlib.Path(config.picture))
    print(f"\n{table(result)}")
    return result


def table(result: dict[str, Any]) -> str:
    """The result as docs/codes.md shows it: mean +- standard deviation over the seeds."""
    setting, k = result["setting"], result["setting"]["k"]
    sizes = sorted({cell["bits"] for cell in result["cells"]})
    header = ("method", *(f"{name}, {n} bits" for name in ("mAP", f"precision@{k}") for n in sizes))
    rows = []
    for method, name in NAMES.items():
        own = [cell for cell in result["cells"] if cell["method"] == method]
        groups = [[cell for cell in own if cell["bits"] == n] for n in sizes]
        if own:
            scores = [
                spread([cell[score] for cell in group], 3) if group else ""
                for score in SCORES
                for group in groups
            ]
            count = max(map(len, groups))
            rows.append((f"{name}, {count} seed{'s' * (count > 1)}", *scores))
    one = result["cells"][0]
    return markdown(header, rows) + (
        f"\n{setting['dataset']}: {one['num_queries']:,} {setting['queries']} images ask, "
        f"{one['database']:,} training images answer; {setting['epochs']} epochs. "
        f"{provenance.line(result['provenance'], result['command'])}"
    )


def picture(result: dict[str, Any]) -> Any:
    """mAP and precision against the bits of a code, a line for each method, a band over its seeds."""
    titles = {
        "mean_average_precision": "mAP",
        "precision_at_k": f"precision@{result['setting']['k']}",
    }
    panels = [
        curves.panel(
            "bits of a code",
            title,
            ((NAMES[cell["method"]], cell["bits"], cell[score]) for cell in result["cells"]),
        )
        for score, title in titles.items()
    ]
    return plots.comparison(panels, title=f"Retrieval: {result['setting']['dataset']}")


def _data(config: Config) -> dict[str, Any]:
    names = ("dataset", "data_dir", "max_examples", "validation_fraction")
    return {name: getattr(config, name) for name in names}


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
