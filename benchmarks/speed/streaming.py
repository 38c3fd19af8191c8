"""Speed and memory of images that stay in their files: an epoch of a folder, and of TFRecord shards.

    python -m benchmarks.speed.streaming --images=1000000 --folder=/tmp/images

writes generated images of 28 x 28 pixels (unless they are there), reads one epoch as `fit` reads it, and adds
a record for each kind to benchmarks/results/streaming.jsonl: images a second, seconds until the first batch,
the resident memory in MiB before the first batch and after every tenth of the epoch, and its peak. Each kind
is read by a process of its own if it is asked for alone: --kinds shards.
"""

from __future__ import annotations

import argparse
import io
import json
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks import help_flag, memory, provenance, store
from trainers.common import tables

if not help_flag.GIVEN:
    import tensorflow as tf
    from PIL import Image

    from tf_discrete import datasets

RESULTS = "streaming"
KINDS = ("files", "shards")
PER_FOLDER, PER_SHARD = 10_000, 50_000
BATCH = 100


def image(number: int) -> bytes:
    """Returns a PNG whose pixels depend on its number."""
    pixels = np.random.RandomState(number % 1000).randint(0, 256, (28, 28)).astype(np.uint8)
    pixels[0, :4] = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def write_files(folder: pathlib.Path, count: int) -> None:
    """Writes images as files, in one folder for each class."""
    for begin in range(0, count, PER_FOLDER):
        part = folder / f"class-{begin // PER_FOLDER:04d}"
        part.mkdir(parents=True)
        for number in range(begin, min(begin + PER_FOLDER, count)):
            (part / f"{number:08d}.png").write_bytes(image(number))


def write_shards(folder: pathlib.Path, count: int) -> None:
    """Writes the same images as TFRecord files."""
    folder.mkdir(parents=True)
    parts = -(-count // PER_SHARD)
    for part in range(parts):
        with tf.io.TFRecordWriter(f"{folder}/part.tfrecord-{part:05d}-of-{parts:05d}") as writer:
            for number in range(part * PER_SHARD, min((part + 1) * PER_SHARD, count)):
                encoded = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image(number)]))
                features = tf.train.Features(feature={"image": encoded})
                writer.write(tf.train.Example(features=features).SerializeToString())


def measure(folder: pathlib.Path) -> dict[str, Any]:
    """Reads an epoch of training batches."""
    began = time.perf_counter()
    train = datasets.get(str(folder), "train", stream=True)
    batches = train.indexed_batches(BATCH, drop_remainder=True)
    steps = batches.steps_per_epoch
    read = iter(batches.stream())
    held = [memory.resident()]
    next(read)
    first = time.perf_counter()
    for step in range(1, steps):
        next(read)
        if step % max(1, steps // 10) == 0:
            held.append(memory.resident())
    seconds = time.perf_counter() - first
    return {
        "images": len(train),
        "seconds_to_first_batch": round(first - began, 1),
        "images_per_second": round((steps - 1) * BATCH / seconds),
        "resident_mib": held,
        "peak_mib": memory.peak(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    for kind in options.kinds:
        folder = options.folder / f"{kind}-{options.images}"
        if not folder.exists():
            (write_files if kind == "files" else write_shards)(folder, options.images)
        made, used = provenance.record(["pillow"]), time.process_time()
        found = {"kind": kind, **measure(folder)}
        found["cpu_seconds"] = round(time.process_time() - used, 1)
        command = (
            f"python -m benchmarks.speed.streaming --images={options.images} --folder=F "
            f"--kinds {' '.join(options.kinds)}"
        )
        name = f"{kind}, {options.images}"
        record = {"name": name, "command": command, **found, "provenance": made}
        print(json.dumps(store.append(RESULTS, record)), flush=True)


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Images a second and memory of each kind, in Markdown."""
    words = {"files": "folder of PNG files", "shards": "TFRecord files of PNG images"}
    rows = []
    for record in records.values():
        held = record["resident_mib"]
        cells = (
            *(words[record["kind"]], f"{record['images']:,}", f"{record['images_per_second']:,}"),
            f"{record['images'] / record['cpu_seconds']:,.0f}",
            f"{record['seconds_to_first_batch']:.0f}",
            *(f"{held[0]:,.0f}", f"{held[len(held) // 2]:,.0f}", f"{held[-1]:,.0f}"),
            f"{record['peak_mib']:,.0f}" if "peak_mib" in record else "",
        )
        rows.append(cells)
    header = (
        *("data", "training images", "images a second", "of a CPU second"),
        *("seconds to the first batch", "MiB at the start", "half-way", "at the end", "peak"),
    )
    made = [provenance.line(one["provenance"], one["command"]) for one in records.values()]
    return f"{tables.markdown(header, rows)}\n{''.join(dict.fromkeys(made))}"


if __name__ == "__main__":
    main()
