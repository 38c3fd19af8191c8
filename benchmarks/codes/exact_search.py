"""Exact search by multi-index hashing against the number of codes, next to FAISS and usearch, in one run.

The codes are those of a linear encoder of 64 bits, trained here on MNIST, for moved, turned, scaled and
noisy training images (see `linear_codes`); the queries are those of test images, distorted likewise. All
methods get the same queries in batches, on one thread. Speed is given by the clock and by the time of the
processor, which other programs on the machine disturb less; the median of the batches counts. Recall is
against the exact search, where equally distant codes are as good. Graphs, and FAISS's MultiHash, are left
out beyond --max_graph codes. Each method is built and asked in a process of its own. The size is that of the
files of an index. Its memory is what the process holds after the queries more than before the index was
built, with the parts of a mapped index that were read, and without the codes that it was built from; the
peak is the most that it held at any time, with these.

    pip install 'tf-discrete[search,stores]'
    python -m benchmarks.codes.exact_search --data_dir=$TF_DISCRETE_DATA_DIR --max_graph=10000000 \\
        --sizes=100000,1000000,10000000,100000000 --duplicates_radius=2

adds a record for each size to benchmarks/results/exact_search.jsonl, of which the last of each method counts;
`python -m tools.tables --write` makes the table in docs/codes.md, and
--picture=docs/images/exact-search.png the picture.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import pathlib
import statistics
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks import help_flag, memory, provenance, store
from benchmarks.codes import linear_codes, search_methods
from benchmarks.codes.search_methods import BITS, EXACT, NAMES
from trainers.common import tables

if not help_flag.GIVEN:
    import tensorflow as tf

    from tf_discrete import codes, datasets, plots

RESULTS = "exact_search"
_MEMORY = {"memory_mebibytes": "memory, MiB", "peak_mebibytes": "peak, MiB"}
_MOST_REPORTED = 10**7
"""Codes among which near duplicates are reported; the pairs grow with the square."""


def make_codes(options: argparse.Namespace, path: pathlib.Path) -> np.ndarray:
    """Writes the largest set of codes, uint8 [M, 8], to a file; returns the queries, uint8 [Q, 8]."""
    split = {
        name: datasets.get("mnist", name, data_dir=options.data_dir or None)
        for name in ("train", "test")
    }
    images = {name: _pixels(np.asarray(part.images)) for name, part in split.items()}
    encoder = linear_codes.train(images["train"], BITS, options.epochs, options.seed)
    count = max(options.sizes)
    items, start = np.memmap(path, np.uint8, "w+", shape=(count, BITS // 8)), 0
    flat = images["train"].reshape(len(images["train"]), -1)
    for part in linear_codes.packed_codes(
        encoder, flat, count, options.seed, options.noise, options.repeats
    ):
        items[start : start + len(part)] = part
        start += len(part)
    flat = images["test"].reshape(len(images["test"]), -1)
    chosen = np.random.default_rng(options.seed).permutation(len(flat))
    wanted = options.queries * options.rounds
    (queries,) = linear_codes.packed_codes(
        encoder, flat[chosen[:wanted]], wanted, options.seed + 1, options.noise, 1
    )
    items.flush()
    return queries


def read_codes(path: pathlib.Path, size: int) -> np.ndarray:
    """Maps the first codes of a file, uint8 [size, 8]."""
    return np.memmap(path, np.uint8, "r", shape=(size, BITS // 8))


def _pixels(images: np.ndarray) -> np.ndarray:
    array = np.asarray(images)
    return array.astype(np.float32) / (255 if array.dtype == np.uint8 else 1)


def measure(
    options: argparse.Namespace, path: pathlib.Path, size: int, queries: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Builds each index of the first codes of a file and asks it everything, each in a new process."""
    rows: dict[str, dict[str, Any]] = {}
    exact: list[codes.Neighbors] = []
    fresh = multiprocessing.get_context("spawn")
    for name in NAMES:
        if name not in options.methods or (
            name in search_methods.GRAPHS and size > options.max_graph
        ):
            continue
        with concurrent.futures.ProcessPoolExecutor(1, fresh) as process:
            try:
                measured = process.submit(_measure, name, options, path, size, queries)
                row, found = measured.result()
            except ImportError as error:
                print(f"{name}: left out ({error})", flush=True)
                continue
        exact = exact or found
        row["recall"] = round(statistics.mean(map(codes.recall_against, found, exact)), 4)
        row["distance"] = round(float(np.mean([one.distances.mean() for one in found])), 2)
        for speed in ("queries_per_second", "queries_per_cpu_second"):
            row[f"median_{speed}"] = statistics.median(row[speed])
        rows[name] = row
        print(f"{size:,} {name}: {_summary(row)}", flush=True)
    return rows


def _measure(
    name: str, options: argparse.Namespace, path: pathlib.Path, size: int, queries: np.ndarray
) -> tuple[dict[str, Any], list[codes.Neighbors]]:
    """Builds one index and asks it everything; returns what it took, and what was found."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    codes.hamming_top_k(queries[:1], queries[:2], 1)
    search_methods.import_library(name)
    items = read_codes(path, size)
    with tempfile.TemporaryDirectory(dir=options.scratch or None) as folder:
        before, clock, processor = memory.resident(), time.perf_counter(), time.process_time()
        built = search_methods.build(name, items, pathlib.Path(folder), options.k)
        row: dict[str, Any] = {
            "build_seconds": round(time.perf_counter() - clock, 1),
            "build_cpu_seconds": round(time.process_time() - processor, 1),
            "mebibytes": round(built.num_bytes / 2**20, 1),
            "queries_per_second": [],
            "queries_per_cpu_second": [],
        }
        del items  # Its pages are no memory of an index that has its own.
        built.search(queries[:2])
        found = []
        for turn in range(options.rounds):
            part = queries[turn * options.queries : (turn + 1) * options.queries]
            clock, processor = time.perf_counter(), time.process_time()
            found.append(built.search(part))
            processor, clock = time.process_time() - processor, time.perf_counter() - clock
            row["queries_per_second"].append(round(len(part) / clock, 1))
            row["queries_per_cpu_second"].append(round(len(part) / processor, 1))
        row["memory_mebibytes"] = round(memory.resident() - before, 1)
        row["peak_mebibytes"] = round(memory.peak() - before, 1)
        row.update(built.facts)
        if name == "exact_index":
            reported = max((one for one in options.sizes if one <= _MOST_REPORTED), default=0)
            if options.duplicates_radius >= 0 and size == reported:
                row["near_duplicates"] = _near_duplicates(folder, options.duplicates_radius)
    return row, found


def _near_duplicates(folder: str, radius: int) -> dict[str, Any]:
    """The report of the index in a folder, and what it took."""
    index = codes.ExactIndex.open(pathlib.Path(folder) / "exact")
    clock, processor = time.perf_counter(), time.process_time()
    report = index.near_duplicates(radius, max_pairs=1000)
    result = {
        "radius": radius,
        "seconds": round(time.perf_counter() - clock, 1),
        "cpu_seconds": round(time.process_time() - processor, 1),
        "num_distinct": report.num_distinct,
        "num_colliding": report.num_colliding,
        "pairs_by_distance": report.pairs_by_distance.tolist(),
        "peak_gibibytes": round(memory.peak() / 2**10, 2),
    }
    print(f"near duplicates: {result}", flush=True)
    return result


def _summary(row: dict[str, Any]) -> str:
    return (
        f"{row['median_queries_per_cpu_second']:,.0f} queries a CPU s, recall {row['recall']}, "
        f"{row['mebibytes']} MiB, memory {row['memory_mebibytes']} MiB, "
        f"built in {row['build_cpu_seconds']} CPU s"
    )


def table(records: dict[str, dict[str, Any]]) -> str:
    """The results, the oldest first, as docs/codes.md shows them."""
    results, rows_of = list(records.values()), methods_by_size(records)
    rows = [row for methods in rows_of.values() for row in methods.values()]
    memory = [name for name in _MEMORY if any(name in row for row in rows)]
    header = (
        *("codes", "", "queries a CPU second", "recall@10", "index, MiB"),
        *(_MEMORY[name] for name in memory),
        "built in",
    )
    cells = [
        (
            f"{size:,}" if first else "",
            NAMES[name],
            f"{row['median_queries_per_cpu_second']:,.0f}",
            f"{row['recall']:.3f}",
            f"{row['mebibytes']:,}",
            *(f"{row[name]:,}" if name in row else "" for name in memory),
            f"{row['build_cpu_seconds']:,} CPU s",
        )
        for size, methods in rows_of.items()
        for first, (name, row) in zip([True] + [False] * 99, methods.items(), strict=False)
    ]
    setting = results[-1]["setting"]
    made = dict.fromkeys(
        provenance.line(result["provenance"], result["command"]) for result in results
    )
    return (
        f"{tables.markdown(header, cells)}\n"
        f"Codes of {BITS} bits of distorted MNIST images, k = {setting['k']}, batches of "
        f"{setting['queries']} queries, median of {setting['rounds']}, one thread. {''.join(made)}"
        f"{''.join(map(_duplicates_in_words, rows_of, rows_of.values()))}"
    )


def methods_by_size(records: dict[str, dict[str, Any]]) -> dict[int, dict[str, dict[str, Any]]]:
    """Returns the last measurement of each method by the number of codes, in the order of `NAMES`.

    Args:
        records: As `store.oldest_first` returns them.
    """
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for result in records.values():
        found.setdefault(result["setting"]["size"], {}).update(result["methods"])
    return {
        size: {name: found[size][name] for name in NAMES if name in found[size]}
        for size in sorted(found)
    }


def _duplicates_in_words(size: int, methods: dict[str, dict[str, Any]]) -> str:
    """Returns what the report of near duplicates found and took; "" where none was made."""
    found = methods.get("exact_index", {}).get("near_duplicates")
    if not found:
        return ""
    pairs = ", ".join(f"{count:,}" for count in found["pairs_by_distance"])
    return (
        f"\nNear duplicates among {size:,} codes, {found['num_distinct']:,} of them "
        f"distinct: {pairs} pairs at distances 0 to {found['radius']}, in {found['cpu_seconds']:,} CPU s, "
        f"with at most {found['peak_gibibytes']} GiB of memory.\n"
    )


def picture(path: str) -> None:
    """Draws queries a CPU second against the number of codes."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for size, methods in methods_by_size(store.oldest_first(RESULTS)).items():
        for name, row in methods.items():
            x, y = lines.setdefault(NAMES[name].replace("`", ""), ([], []))
            x.append(size)
            y.append(row["median_queries_per_cpu_second"])
    figure = plots.canvas.new_figure(8.0, 5.0)
    axes = figure.subplots()
    for name, (x, y) in lines.items():
        axes.loglog(x, y, marker="o", label=name)
    plots.canvas.tidy(
        axes, "Search among codes of 64 bits, k = 10", "codes", "queries a CPU second"
    )
    axes.legend()
    plots.save(figure, path)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    sizes = lambda text: [int(size) for size in text.split(",")]  # noqa: E731
    names = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--data_dir", default="", help="of prepared TFDS data")
    parser.add_argument("--sizes", type=sizes, default=[10**5, 10**6, 10**7])
    parser.add_argument("--methods", type=names, default=list(NAMES))
    parser.add_argument("--max_graph", type=int, default=10**6)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--noise", type=float, default=0.1, help="of a pixel in [0, 1]")
    parser.add_argument("--repeats", type=int, default=4, help="noises for each distortion")
    parser.add_argument("--queries", type=int, default=100, help="in a batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--duplicates_radius",
        type=int,
        default=-1,
        help="of near duplicates among the most codes up to 10^7",
    )
    parser.add_argument("--scratch", default="", help="folder for codes and indexes")
    parser.add_argument("--picture", default="", help="file of the picture")
    options = parser.parse_args(argv)
    chosen = set(options.methods)
    if not (chosen <= set(NAMES) and chosen & set(EXACT)):
        parser.error(
            f"--methods must be of {', '.join(NAMES)}, and have one of {', '.join(EXACT)}, against which "
            f"recall is measured. Received: methods={','.join(options.methods)!r}"
        )
    made = provenance.record(["faiss-cpu", "usearch"])
    hidden = ("data_dir", "scratch", "picture")
    flags = "".join(
        f" --{name}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in vars(options).items()
        if value != parser.get_default(name) and name not in hidden
    )
    with tempfile.TemporaryDirectory(dir=options.scratch or None) as folder:
        path = pathlib.Path(folder) / "codes"
        queries = make_codes(options, path)
        for size in sorted(options.sizes):
            setting = {name: vars(options)[name] for name in vars(options) if name not in hidden}
            result = {
                "name": f"{size}, {','.join(options.methods)}",
                "command": "python -m benchmarks.codes.exact_search "
                f"--data_dir=$TF_DISCRETE_DATA_DIR{flags}",
                "setting": {**setting, "size": size},
                "distinct_codes": len(np.unique(read_codes(path, size).view(">u8"))),
                "methods": measure(options, path, size, queries),
                "provenance": made,
            }
            store.append(RESULTS, result)
    if options.picture:
        picture(options.picture)
    print(table(store.oldest_first(RESULTS)))


if __name__ == "__main__":
    main()
