"""Speed of search by Hamming distance: exact here, and FAISS flat, HNSW and IVF, in one run.

A million codes of 64 bits around random centres (each bit flipped with the probability `flips`), queries
made likewise; k = 10. With --run=DIR they are the codes that the model of a finished run gives to training
images, each moved, turned and scaled a little until there are enough, and the queries those of test images.
All methods get the same queries in batches and take turns, in a new order each round; the median round
counts. Speed is given by the clock and by the time of the processor, which other programs on the machine
disturb less. Recall is against the exact search, where equally distant codes are as good. The memory of the
exact search is that of the packed codes; the ids of a `CodeIndex` and, while it searches, one working copy of
the codes come on top.

    pip install 'tf-discrete[search]'
    python -m benchmarks.speed.search
    python -m benchmarks.speed.search --run=runs/hashing --data_dir=$TF_DISCRETE_DATA_DIR

add the result to benchmarks/results/search_speed.jsonl, of which `python -m tools.tables --write` makes the
tables in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import provenance, store
from benchmarks.codes import augmented as augmented_codes
from tf_discrete import codes, seeds
from trainers.common import finished_run, tables

RESULTS = "search_speed"
NAMES = {
    "exact": "tf_discrete: exact",
    "faiss_flat": "FAISS flat, exact",
    "faiss_hnsw": "FAISS HNSW, 32 links, effort 64",
    "faiss_ivf": "FAISS IVF, 16 probes",
}
Search = Callable[[np.ndarray], codes.Neighbors]


def make_codes(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """The codes to search and the queries, int32 [M, bits] and [Q, bits]."""
    return image_codes(options) if options.run else random_codes(options)


def image_codes(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Codes of moved training images, and of moved test images.

    Raises:
        ValueError: a model with codes of more than 2 categories.
    """
    finished = finished_run.load(options.run, data_dir=options.data_dir)
    if finished.model.num_categories != 2:
        raise ValueError(
            "The indexes of FAISS are compared on bits. Give a run with binary codes. Received: "
            f"run={options.run!r} with num_categories={finished.model.num_categories}"
        )
    if options.dataset:
        config = dataclasses.replace(finished.config, dataset=options.dataset)
        finished = finished._replace(config=config, accept_changed_data=True)
    options.dataset, options.bits = finished.config.dataset, finished.model.num_variables
    counts = {"train": options.codes, "test": options.queries * options.rounds}
    items, queries = (
        augmented_codes.encode(
            finished.model,
            finished.split(name).images[:],
            count,
            seeds.fold(seeds.base(options.seed), "moved images", name),
            threshold=finished.config.binarization != "none",
        )
        for name, count in counts.items()
    )
    return items, queries


def random_codes(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Codes around random centres."""
    generator = np.random.default_rng(options.seed)
    centres = generator.integers(0, 2, [options.clusters, options.bits], dtype=np.int32)

    def around(count: int) -> np.ndarray:
        chosen = centres[generator.integers(0, options.clusters, count)]
        flipped = generator.random([count, options.bits], dtype=np.float32) < options.flips
        return chosen ^ flipped

    return around(options.codes), around(options.queries * options.rounds)


def build(name: str, items: np.ndarray, k: int) -> tuple[Search, int]:
    """A search of an index, and the bytes of its packed codes or, for FAISS, of its file."""
    if name == "exact":
        packed = codes.pack(items)
        return lambda queries: codes.hamming_top_k(codes.pack(queries), packed, k), packed.nbytes
    index = codes.FaissIndex(items, kind=name.removeprefix("faiss_"))
    with tempfile.TemporaryDirectory() as folder:
        index.save(f"{folder}/index")
        size = os.path.getsize(f"{folder}/index")
    return lambda queries: index.search(queries, k), size


def measure(options: argparse.Namespace, items: np.ndarray, queries: np.ndarray) -> dict[str, Any]:
    """Builds every index and lets them take turns."""
    searches = {}
    rows: dict[str, dict[str, Any]] = {}
    for name in NAMES:
        start = time.process_time()
        searches[name], size = build(name, items, options.k)
        rows[name] = {
            "build_cpu_seconds": round(time.process_time() - start, 2),
            "mebibytes": round(size / 2**20, 1),
            "queries_per_second": [],
            "queries_per_cpu_second": [],
            "recall": [],
            "distance": [],
        }
        print(f"{name}: built in {rows[name]['build_cpu_seconds']} CPU s", flush=True)
        searches[name](queries[:2])
    order = random.Random(options.seed)
    for turn in range(options.rounds):
        part = queries[turn * options.queries : (turn + 1) * options.queries]
        found = {}
        for name in order.sample(list(NAMES), len(NAMES)):
            clock, processor = time.perf_counter(), time.process_time()
            found[name] = searches[name](part)
            processor, clock = time.process_time() - processor, time.perf_counter() - clock
            rows[name]["queries_per_second"].append(round(len(part) / clock, 1))
            rows[name]["queries_per_cpu_second"].append(round(len(part) / processor, 1))
        for name, neighbors in found.items():
            rows[name]["recall"].append(codes.recall_against(neighbors, found["exact"]))
            near = neighbors.distances[neighbors.indices >= 0]
            rows[name]["distance"].append(float(near.mean()))
    for row in rows.values():
        for speed in ("queries_per_second", "queries_per_cpu_second"):
            row[f"median_{speed}"] = statistics.median(row[speed])
        row["recall"] = round(statistics.mean(row["recall"]), 4)
        row["distance"] = round(statistics.mean(row["distance"]), 3)
    return rows


def table(result: dict[str, Any]) -> str:
    """The result as the README shows it."""
    setting, rows = result["setting"], result["methods"]
    made_of = "around random centres"
    if setting.get("run"):
        made_of = f"of {setting['dataset']} images, moved, turned and scaled"
    distinct = (
        f" ({result['distinct_codes']:,} of them distinct)" if "distinct_codes" in result else ""
    )
    known = any("distance" in row for row in rows.values())
    header = (
        *("", "queries a second", "queries a CPU second", f"recall@{setting['k']}"),
        *(["mean distance of a neighbour"] if known else []),
        *("index, MiB", "built in"),
    )
    cells = [
        (
            NAMES[name],
            f"{row['median_queries_per_second']:,.0f}",
            f"{row['median_queries_per_cpu_second']:,.0f}",
            f"{row['recall']:.3f}",
            *([str(row["distance"])] if known else []),
            str(row["mebibytes"]),
            f"{row['build_cpu_seconds']:.1f} CPU s",
        )
        for name, row in rows.items()
    ]
    made = result["provenance"]
    return (
        f"{setting['codes']:,} codes{distinct} of {setting['bits']} bits {made_of}, k = {setting['k']}, "
        f"batches of {setting['queries']} queries, median of {setting['rounds']} rounds.\n\n"
        f"{tables.markdown(header, cells)}\n"
        f"{setting['threads']} threads, faiss-cpu {made['versions']['faiss-cpu']}, numpy "
        f"{made['versions']['numpy']}; {provenance.line(made, result['command'])}"
    )


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--run", default="", help="finished run whose model encodes images")
    parser.add_argument("--dataset", default="", help="images to encode; default: that of the run")
    parser.add_argument("--data_dir", default="", help="of prepared TFDS data; default: the run's")
    parser.add_argument("--codes", type=int, default=1_000_000)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--clusters", type=int, default=10_000)
    parser.add_argument("--flips", type=float, default=0.1)
    parser.add_argument("--queries", type=int, default=200, help="in a batch")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    import faiss

    faiss.omp_set_num_threads(options.threads)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    made = provenance.record(["faiss-cpu"])
    changed = {
        name: "$TF_DISCRETE_DATA_DIR" if name == "data_dir" else value
        for name, value in vars(options).items()
        if value != parser.get_default(name)
    }
    flags = "".join(f" --{name}={value}" for name, value in changed.items())
    items, queries = make_codes(options)
    rows = measure(options, items, queries)
    result = {
        "name": "images" if options.run else "random",
        "command": f"python -m benchmarks.speed.search{flags}",
        "setting": {name: value for name, value in vars(options).items() if name != "data_dir"},
        "distinct_codes": len(np.unique(codes.pack(items), axis=0)),
        "methods": rows,
        "provenance": made,
    }
    print(table(store.append(RESULTS, result)))


if __name__ == "__main__":
    main()
