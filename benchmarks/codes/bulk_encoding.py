"""Bulk encoding from TFRecord shards to packed codes, on this machine: images a second and memory.

Writes shards of generated images of 28 x 28 pixels, exports a semantic hashing model of 64 bits (an
untrained one takes the same time), and runs `trainers.encode` on them in a process of its own. With
--kills=n a second encoding is killed n times, at random moments spread over its shards, and started again;
its codes must be those of the uninterrupted one, each once.

    pip install 'tf-discrete[beam]'
    python -m benchmarks.codes.bulk_encoding --images=200000

adds a record to benchmarks/results/bulk_encoding.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import memory, provenance, store
from tf_discrete import export
from tf_discrete.codes.code_files import RECORDS, CodeFiles
from tf_discrete.models import SemanticHashingAutoencoder
from trainers.common import tables

RESULTS = "bulk_encoding"
_SHAPE, _BITS = (28, 28, 1), 64


def write_shards(folder: pathlib.Path, images: int, shards: int, seed: int) -> None:
    """Writes examples of random pixels, which are stored as they are."""
    generator = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(shards):
        count = images // shards + (number < images % shards)
        with tf.io.TFRecordWriter(str(folder / f"{number:05d}.tfrecord")) as file:
            for start in range(0, count, 10_000):
                size = [min(10_000, count - start), *_SHAPE]
                for image in generator.integers(0, 256, size, np.uint8):
                    file.write(_example(image.tobytes()))


def _example(pixels: bytes) -> bytes:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[pixels]))
    features = tf.train.Features(feature={"image": feature})
    return tf.train.Example(features=features).SerializeToString()


def encode(folder: pathlib.Path, output: str, kills: int, seed: int) -> dict[str, float]:
    """Runs the encoder to its end; returns its seconds, those of the processor and its peak memory."""
    words = [
        *(sys.executable, "-m", "trainers.encode", f"--model={folder / 'model'}"),
        *(f"--input={folder / 'shards'}/*.tfrecord", f"--output={folder / output}"),
    ]
    chosen, shards = random.Random(seed), len(list((folder / "shards").iterdir()))
    for killed in range(kills):
        done = int(shards * (killed + chosen.random()) / (kills + 1))
        _kill(subprocess.Popen(words), folder / output / RECORDS, done, chosen.uniform(0, 2))
    began = time.perf_counter()
    process, peak, status = subprocess.Popen(words), 0.0, None
    while status is None:
        peak = max(peak, memory.peak(process.pid))
        time.sleep(0.1)
        ended, code, usage = os.wait4(process.pid, os.WNOHANG)
        status = code if ended else None
    if status:
        raise RuntimeError(f"The encoder has failed. Received: status={status}")
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mebibytes": round(peak),
    }


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


def contents(folder: pathlib.Path) -> dict[int, bytes]:
    """The code of each id; each comes once."""
    found: dict[int, bytes] = {}
    for batch in CodeFiles(folder).batches(optional=()):
        found.update(zip(batch.ids.tolist(), map(bytes, batch.packed), strict=True))
    if len(found) != len(CodeFiles(folder)):
        raise RuntimeError(
            f"Ids come twice. Received: {len(CodeFiles(folder))} rows, {len(found)} ids"
        )
    return found


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scratch", default="", help="folder for shards and codes")
    options = parser.parse_args(argv)
    made = provenance.record(["apache-beam", "pyarrow"])
    setting = {name: value for name, value in vars(options).items() if name != "scratch"}
    with tempfile.TemporaryDirectory(dir=options.scratch or None) as name:
        folder = pathlib.Path(name)
        export.save(SemanticHashingAutoencoder(_SHAPE, _BITS), folder / "model")
        write_shards(folder / "shards", options.images, options.shards, options.seed)
        result = encode(folder, "codes", 0, options.seed)
        if options.kills:
            result["kills"] = options.kills
            encode(folder, "killed", options.kills, options.seed)
            if contents(folder / "killed") != contents(folder / "codes"):
                raise RuntimeError("The codes after kills differ from those without.")
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
