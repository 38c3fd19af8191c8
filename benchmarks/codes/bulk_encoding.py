"""Bulk encoding from TFRecord shards to packed codes, on this machine: images a second and memory.

Writes shards of generated images of 28 x 28 pixels, exports a semantic hashing model of 64 bits (an
untrained one takes the same time), and runs `trainers.encode` on them in a process of its own. With
--kills=n a second encoding is killed n times, at random moments spread over its shards, and started again;
its codes must be those of the uninterrupted one, each once.

    pip install 'tf-discrete[beam]'
    python -m benchmarks.codes.bulk_encoding --images=200000

adds a record to benchmarks/results/bulk_encoding.jsonl. With --scratch=FOLDER the shards and codes stay
there, about 0.9 KB for each image, and a benchmark that was stopped continues: finished shards and encodings
are kept, and the encoding that is timed starts again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks import help_flag, memory, provenance, store
from trainers.common import tables

if not help_flag.GIVEN:
    import tensorflow as tf

    from tf_discrete import export
    from tf_discrete._internal import writing
    from tf_discrete.codes.code_files import RECORDS, CodeFiles
    from tf_discrete.models import SemanticHashingAutoencoder

RESULTS = "bulk_encoding"
_SHAPE, _BITS = (28, 28, 1), 64


def write_shards(folder: pathlib.Path, images: int, shards: int, seed: int) -> None:
    """Writes examples of random pixels, which are stored as they are; shards that are there stay."""
    folder.mkdir(exist_ok=True)
    size = int(np.prod(_SHAPE))
    beginning = _example(bytes(size))[:-size]  # The pixels are the end of an example.
    for number in range(shards):
        count = images // shards + (number < images % shards)
        path = folder / f"{number:05d}.tfrecord"
        if path.exists():
            continue
        generator = np.random.default_rng([seed, number])
        with writing.replaced_file(path) as new, tf.io.TFRecordWriter(str(new)) as file:
            for start in range(0, count, 10_000):
                for pixels in generator.integers(
                    0, 256, [min(10_000, count - start), size], np.uint8
                ):
                    file.write(beginning + pixels.tobytes())


def _example(pixels: bytes) -> bytes:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[pixels]))
    features = tf.train.Features(feature={"image": feature})
    return tf.train.Example(features=features).SerializeToString()


def timed(folder: pathlib.Path) -> dict[str, float]:
    """Encodes without a kill; returns its seconds, those of the processor and its peak memory."""
    known = folder / "timed.json"
    if not known.exists():
        shutil.rmtree(folder / "codes", ignore_errors=True)
        began = time.perf_counter()
        process, peak, status = subprocess.Popen(_command(folder, "codes")), 0.0, None
        while status is None:
            peak = max(peak, memory.peak(process.pid))
            time.sleep(0.1)
            ended, code, usage = os.wait4(process.pid, os.WNOHANG)
            status = code if ended else None
        if status:
            raise RuntimeError(f"The encoder has failed. Received: status={status}")
        result = {
            "seconds": round(time.perf_counter() - began, 1),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
            "peak_mebibytes": round(peak),
        }
        writing.write_json(known, result)
    return json.loads(known.read_text())


def encode_with_kills(folder: pathlib.Path, kills: int, seed: int) -> None:
    """Encodes, and kills the job `kills` times; those of a benchmark that continues count."""
    words, known = _command(folder, "killed"), folder / "kills.json"
    done = json.loads(known.read_text()) if known.exists() else 0
    random_numbers, shards = random.Random(seed), len(list((folder / "shards").glob("*.tfrecord")))
    moments = [
        (int(shards * (kill + random_numbers.random()) / (kills + 1)), random_numbers.uniform(0, 2))
        for kill in range(kills)
    ]
    for kill in range(done, kills):
        _kill(subprocess.Popen(words), folder / "killed" / RECORDS, *moments[kill])
        writing.write_json(known, kill + 1)
    subprocess.run(words, check=True)


def _command(folder: pathlib.Path, output: str) -> list[str]:
    return [
        *(sys.executable, "-m", "trainers.encode", f"--model={folder / 'model'}"),
        *(f"--input={folder / 'shards'}/*.tfrecord", f"--output={folder / output}"),
    ]


def _kill(
    process: subprocess.Popen[bytes], records: pathlib.Path, done: int, seconds: float
) -> None:
    """Kills the job some seconds after it has done a number of shards."""
    while len(list(records.glob("*.json"))) < done and process.poll() is None:
        time.sleep(0.05)
    time.sleep(seconds)
    process.kill()
    if process.wait() != -signal.SIGKILL:
        raise RuntimeError(
            "The job must still run when it is killed. Give more --images or --shards. "
            f"Received: status={process.returncode}"
        )


def contents(folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """All ids in order, int64 [M], each once, and their codes, uint8 [M, D]."""
    found = list(CodeFiles(folder).batches(optional=()))
    ids = np.concatenate([batch.ids for batch in found])
    packed = np.concatenate([batch.packed for batch in found])
    order = np.argsort(ids)
    ids = ids[order]
    if (ids[1:] == ids[:-1]).any():
        raise RuntimeError(f"Ids come twice. Received: {len(ids)} ids in {folder}")
    return ids, packed[order]


def check_same(folder: pathlib.Path) -> None:
    """Checks that the encoding with kills has the codes of that without."""
    for one, other in zip(contents(folder / "killed"), contents(folder / "codes"), strict=True):
        if not np.array_equal(one, other):
            raise RuntimeError("The codes after kills differ from those without.")


@contextlib.contextmanager
def workplace(scratch: str, setting: dict[str, Any]) -> Iterator[pathlib.Path]:
    """Yields the folder of a benchmark, which stays where it was named."""
    if not scratch:
        with tempfile.TemporaryDirectory() as name:
            yield pathlib.Path(name)
        return
    folder = pathlib.Path(scratch)
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "setting.json"
    if known.exists() and json.loads(known.read_text()) != setting:
        raise ValueError(
            "A benchmark continues with the flags that it was begun with. Choose another --scratch. "
            f"Received: scratch={scratch!r}, begun with {known.read_text().strip()}"
        )
    writing.write_json(known, setting)
    yield folder


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scratch", default="", help="folder for shards and codes, which stays")
    options = parser.parse_args(argv)
    made = provenance.record(["apache-beam", "pyarrow"])
    setting = {name: value for name, value in vars(options).items() if name != "scratch"}
    with workplace(options.scratch, setting) as folder:
        if not (folder / "model").exists():
            export.save(SemanticHashingAutoencoder(_SHAPE, _BITS), folder / "model")
        write_shards(folder / "shards", options.images, options.shards, options.seed)
        result: dict[str, Any] = timed(folder)
        if options.kills:
            result["kills"] = options.kills
            encode_with_kills(folder, options.kills, options.seed)
            check_same(folder)
        manifest = json.loads((folder / "codes" / "manifest.json").read_text())
    result["images_per_second"] = round(manifest["count"] / result["seconds"], 1)
    result["images_per_cpu_second"] = round(manifest["count"] / result["cpu_seconds"], 1)
    flags = "".join(f" --{name}={value}" for name, value in setting.items())
    record = {
        "name": f"{options.images} images, {options.kills} kills",
        "command": f"python -m benchmarks.codes.bulk_encoding{flags}",
        "setting": setting,
        "result": result,
        "provenance": made,
    }
    print(json.dumps(store.append(RESULTS, record)["result"]))


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Images a second, peak memory and kills of each run, in Markdown."""
    rows = []
    for record in sorted(records.values(), key=lambda one: one["setting"]["images"]):
        result, setting = record["result"], record["setting"]
        row = (
            *(f"{setting['images']:,}", f"{result['images_per_second']:,.0f}"),
            f"{result['images_per_cpu_second']:,.0f}",
            f"{result['peak_mebibytes']:,} MiB" if "peak_mebibytes" in result else "",
            f"{setting['kills']}, the same codes" if setting["kills"] else "none",
        )
        rows.append(row)
    header = (
        *("images of 28 x 28", "images a second", "of a CPU second", "peak memory"),
        "kills in a second encoding",
    )
    made = [provenance.line(one["provenance"], one["command"]) for one in records.values()]
    return f"{tables.markdown(header, rows)}\n{''.join(dict.fromkeys(made))}"


if __name__ == "__main__":
    main()
