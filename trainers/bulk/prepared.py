"""A prepared data set of TFDS as input of the bulk encoder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

from . import records
from .shard import Images, Reading, Shard, identity


def shards(name: str, size: int, data_dir: str) -> list[Shard]:
    """Lists the shards of NAME[:SPLIT].

    Raises:
        FileNotFoundError: A file of the split is missing.
        ValueError: No such split, it is not prepared, or not as TFRecord files.
    """
    import tensorflow_datasets as tfds

    name, _, split = name.partition(":")
    split = split or "train"
    found = tfds.builder(name, data_dir=data_dir or None)
    if split not in found.info.splits:
        known = ", ".join(found.info.splits) or "none: prepare the data set first"
        raise ValueError(
            f"The data set must have the split, and must be prepared. Choose one of {known}. "
            f"Received: input='tfds:{name}:{split}', data_dir={data_dir!r}"
        )
    if found.info.file_format.value != "tfrecord":
        raise ValueError(
            "The data set must be prepared as TFRecord files. Prepare it with file_format='tfrecord'. "
            f"Received: input='tfds:{name}:{split}' of {found.info.file_format.value}"
        )
    count = found.info.splits[split].num_examples
    source = f"{name}:{split}"
    files = [os.fspath(path) for path in found.info.splits[split].filepaths]
    if missing := [file for file in files if not os.path.exists(file)]:
        raise FileNotFoundError(
            "All files of the split must be there. Restore them, or prepare the data set again. "
            f"Received: input='tfds:{name}:{split}' without {len(missing)} of {len(files)}: {missing[0]}"
        )
    versions = (found.info.full_name, *map(identity, files))
    return [
        Shard(number, "tfds", source, start, stop=min(start + size, count), identity=versions)
        for number, start in enumerate(range(0, count, size))
    ]


def batches(shard: Shard, how: Reading) -> Iterator[Images]:
    """Examples of a prepared data set, in the order of its files, read as other TFRecord files are."""
    import tensorflow_datasets as tfds

    name, split = shard.source.rsplit(":", 1)
    found = tfds.builder(name, data_dir=how.data_dir or None).info.splits[split]
    eight, sixteen = how.white_levels
    how = dataclasses.replace(how, white_levels=(eight or 255, sixteen))  # Else as they are stored.
    begin = 0
    for path, count in zip(found.filepaths, found.shard_lengths, strict=True):
        first, last = max(shard.start - begin, 0), min(shard.stop - begin, count)
        if first < last:
            file = dataclasses.replace(shard, source=os.fspath(path), start=begin)
            yield from records.batches(file, how, first, last)
        begin += count
